// A few threads that run numbered tasks together; run() returns when all are done, and throws what one of them threw. With one
// worker the caller does the work.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tillwatch::engine {

class WorkerPool {
 public:
  explicit WorkerPool(size_t workers);
  ~WorkerPool();
  size_t workers() const { return threads_.size() + 1; }
  // Calls task(0) … task(count - 1), each once, on the workers and the caller.
  void run(size_t count, const std::function<void(size_t)>& task);

 private:
  void work();
  void take_tasks(const std::function<void(size_t)>& task, size_t count);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable started_, finished_;
  const std::function<void(size_t)>* task_ = nullptr;
  size_t count_ = 0, next_ = 0, busy_ = 0;
  uint64_t round_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
};

}  // namespace tillwatch::engine
