#pragma once

#include <string>

namespace fovea {

/// Whether the whole of `name` matches a shell's pattern: * is any text, dots and slashes too, ?
/// any character, [abc] one of these.
bool matches_glob(const std::string& glob, const std::string& name);

}  // namespace fovea
