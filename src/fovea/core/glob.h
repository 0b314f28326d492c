#pragma once

#include <string>

namespace fovea {

/// Whether all of `name` matches a shell pattern: * is any text, dots and slashes included, ? any
/// character, [abc] one of these.
bool matches_glob(const std::string& glob, const std::string& name);

}  // namespace fovea
