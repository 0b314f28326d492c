#include "fovea/core/error.h"

#include <algorithm>

namespace fovea {

std::string_view name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::internal:
      return "internal";
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::data:
      return "data";
    case ErrorKind::model:
      return "model";
    case ErrorKind::io:
      return "io";
    case ErrorKind::diverged:
      return "diverged";
    case ErrorKind::memory:
      return "memory";
  }
  return "unknown";
}

Error::Error(ErrorKind kind, std::string headline) : kind_(kind), headline_(std::move(headline)) {
  render();
}

Error& Error::with(std::string_view key, std::string_view value) & {
  details_.emplace_back(key, value);
  render();
  return *this;
}

Error&& Error::with(std::string_view key, std::string_view value) && {
  return std::move(with(key, value));
}

Error& Error::at(std::string_view place) & {
  const auto find = [this](std::string_view key) {
    return std::ranges::find(details_, key, &std::pair<std::string, std::string>::first);
  };
  if (place.empty() || find("at") != details_.end()) return *this;
  details_.emplace(find("try"), "at", place);
  render();
  return *this;
}

Error&& Error::at(std::string_view place) && { return std::move(at(place)); }

void Error::render() {
  size_t width = 7;
  for (const auto& [key, value] : details_) width = std::max(width, key.size());
  text_ = headline_;
  for (const auto& [key, value] : details_) {
    text_ += "\n  " + key + std::string(width - key.size() + 1, ' ') + value;
  }
}

void require(bool condition, std::string_view what) {
  if (!condition) throw Error(ErrorKind::internal, "internal error: " + std::string(what));
}

}  // namespace fovea
