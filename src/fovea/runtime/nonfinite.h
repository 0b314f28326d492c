#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "fovea/runtime/state.h"

namespace fovea {

/// The first non-finite number of an array of floats: "NaN", "inf" or "-inf". Empty when all are
/// finite, and for integers.
std::string_view nonfinite_in(const Array& array);

/// The first array of these roles with such a number, in the order of the roles and of declaration:
/// "weight conv1.weight holds NaN". Empty when there is none.
std::string nonfinite_in(State& state, std::initializer_list<Role> roles);

}  // namespace fovea
