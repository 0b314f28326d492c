#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "error_text.h"
#include "ops/harness.h"

namespace fovea {

/// Each mistake that a user can make, once, with its message. Messages must say what is wrong, both
/// values, and what to try.
class Errors : public ::testing::Test {
 protected:
  Tensor value(const Shape& shape, DType dtype = DType::f32) {
    return graph->input("x" + std::to_string(count++), {dtype, shape});
  }
  template <class Action>
  static std::string usage(Action&& action) {
    return error_text(ErrorKind::usage, action);
  }

  std::shared_ptr<Graph> graph = Graph::make(Mode::train);
  int count = 0;
};

}  // namespace fovea
