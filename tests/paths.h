#pragma once

#include <string>

namespace fovea {

/// The folder of the tests, without a slash at its end.
const std::string& tests_folder();

}  // namespace fovea
