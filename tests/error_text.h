#pragma once

#include <gtest/gtest.h>

#include <string>

#include "fovea/core/error.h"

namespace fovea {

/// The message of `action` when it fails; fails the test if it succeeds or fails with another kind.
template <class Action>
std::string error_text(ErrorKind kind, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(name(error.kind()), name(kind)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

/// Expects that `action` fails with an error of `kind` whose text holds `part`.
template <class Action>
void expect_error(ErrorKind kind, const std::string& part, Action&& action) {
  const std::string text = error_text(kind, action);
  EXPECT_NE(text.find(part), std::string::npos) << "expected: " << part << "\ngot: " << text;
}

}  // namespace fovea
