#include "connectors/compressed_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace tillwatch::connectors {
namespace {

constexpr size_t kChunk = 1 << 18;

// False when nobody reads any more.
bool write_all(int descriptor, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

class Unpacked final : public CompressedFile {
 public:
  Unpacked(std::string name, int read_end, int write_end)
      : name_(std::move(name)), path_("/dev/fd/" + std::to_string(read_end)), read_end_(read_end), write_end_(write_end) {}
  ~Unpacked() override {
    ::close(read_end_);  // a thread that writes still sees that nobody reads
    if (thread_.joinable()) thread_.join();
  }
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;

  template <class Unpack>
  void start(Unpack unpack) {
    thread_ = std::thread([this, unpack] {
      problem_ = unpack(write_end_);
      ::close(write_end_);
    });
  }

  const std::string& stream_path() const override { return path_; }
  Status ended() override {
    if (thread_.joinable()) thread_.join();
    return problem_.empty() ? Status{} : fail(ErrorKind::corrupt, name_ + ": " + problem_);
  }

 private:
  const std::string name_, path_;
  const int read_end_, write_end_;
  std::string problem_;  // written by the thread, read after it is joined
  std::thread thread_;
};

std::string unpack_gzip(gzFile file, int to) {
  std::vector<char> bytes(kChunk);
  std::string problem;
  while (true) {
    const int size = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    if (size < 0) {
      int code = 0;
      problem = std::string("it cannot be unpacked: ") + gzerror(file, &code);
    }
    if (size <= 0 || !write_all(to, bytes.data(), static_cast<size_t>(size))) break;
  }
  if (gzclose(file) == Z_BUF_ERROR && problem.empty()) problem = "it is cut short";
  return problem;
}

std::string unpack_zstd(std::FILE* file, int to) {
  std::vector<char> packed(kChunk), bytes(kChunk);
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  size_t left = 0;
  std::string problem;
  for (size_t size = 0; problem.empty() && (size = std::fread(packed.data(), 1, packed.size(), file)) > 0;) {
    ZSTD_inBuffer in{packed.data(), size, 0};
    while (in.pos < in.size && problem.empty()) {
      ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
      left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left) != 0) problem = std::string("it cannot be unpacked: ") + ZSTD_getErrorName(left);
      if (problem.empty() && !write_all(to, bytes.data(), out.pos)) {
        std::fclose(file);
        return "";
      }
    }
  }
  std::fclose(file);
  return problem.empty() && left != 0 ? "it is cut short" : problem;
}

}  // namespace

bool is_compressed(const std::string& path) { return path.ends_with(".gz") || path.ends_with(".zst"); }

Expected<std::unique_ptr<CompressedFile>> CompressedFile::open(const std::string& path) {
  const auto cannot = [&] { return fail(ErrorKind::invalid, "cannot read " + path + ": " + std::strerror(errno)); };
  std::FILE* plain = std::fopen(path.c_str(), "rb");
  if (plain == nullptr) return cannot();
  gzFile packed = nullptr;
  if (path.ends_with(".gz")) {
    packed = gzdopen(::dup(fileno(plain)), "rb");
    std::fclose(plain);
    if (packed == nullptr) return cannot();
  }
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot();
  auto file = std::make_unique<Unpacked>(path, ends[0], ends[1]);
  if (packed != nullptr) {
    file->start([packed](int to) { return unpack_gzip(packed, to); });
  } else {
    file->start([plain](int to) { return unpack_zstd(plain, to); });
  }
  return file;
}

}  // namespace tillwatch::connectors
