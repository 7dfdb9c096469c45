#include "engine/scratch_folder.h"

#include <cstdlib>
#include <filesystem>

namespace tillwatch::engine {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "tillwatch-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;  // what is left in the temporary folder is nobody's loss
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace tillwatch::engine
