#pragma once

#include <memory>
#include <string>

#include "fovea/core/files.h"
#include "fovea/models/net_file.h"
#include "fovea/models/selection.h"
#include "fovea/nn.h"
#include "paths.h"

/// Nets written as text, for the tests of net files.
namespace fovea::models {

/// A file of the project.
inline std::string contents(const std::string& path) {
  return read_text(tests_folder() + "/../" + path, ErrorKind::io);
}

inline Options with(std::string text, std::string file = "net.toml") {
  return {.net = std::make_shared<const NetText>(
              NetText{.file = std::move(file), .text = std::move(text)})};
}
inline Options example(const std::string& name) {
  return with(contents("examples/nets/" + name + ".toml"), name + ".toml");
}

inline std::unique_ptr<nn::Module> made(const std::string& text) { return make("", with(text)); }

/// A net for images of 1x8x8 with these layers, at line 2 and below, and a head.
inline std::string small(const std::string& layers) {
  return "input = [1, 8, 8]\nlayers = [\n" + layers +
         "\n\"Flatten\",\n{ name = \"fc\", type = \"Linear\", out_features = \"classes\" } ]";
}

}  // namespace fovea::models
