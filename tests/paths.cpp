#include "paths.h"

namespace fovea {

const std::string& tests_folder() {
  static const std::string folder = FOVEA_TESTS_DIR;
  return folder;
}

}  // namespace fovea
