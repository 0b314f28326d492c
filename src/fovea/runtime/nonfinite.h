#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/runtime/program.h"
#include "fovea/runtime/state.h"

namespace fovea {

/// The first non-finite number of an array of floats: "NaN", "inf" or "-inf". Empty when all are
/// finite, and for integers.
std::string_view nonfinite_in(const Array& array);

/// The first array of these roles with such a number, in the order of the roles and of declaration:
/// "weight conv1.weight holds NaN". Empty when there is none.
std::string nonfinite_in(State& state, std::initializer_list<Role> roles);

/// Where numbers that are not finite began.
struct NonFinite {
  enum class From : uint8_t { nowhere, input, state, layer };
  From from = From::nowhere;
  /// "the input holds NaN", "weight conv1.weight holds inf", or "conv1 (conv) computed a number
  /// that is not finite"; "" if all are finite.
  std::string text = {};
};

/// Where the numbers of a Program for these inputs stop being finite: looks at the inputs, then at
/// the State's arrays of these roles, then at what each layer computes, for which it runs again.
/// The State is unchanged.
NonFinite nonfinite_origin(const Program& program, Memory& memory, State& state,
                           const Inputs& inputs,
                           std::initializer_list<Role> roles = {Role::parameter, Role::buffer});

/// An error of kind diverged about a model in use: what is not finite, where that began, and what
/// to try.
Error nonfinite_error(std::string headline, const NonFinite& origin);

}  // namespace fovea
