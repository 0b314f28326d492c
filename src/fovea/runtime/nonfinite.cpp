#include "fovea/runtime/nonfinite.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fovea {
namespace {

/// Whether all exponents are below the highest, that of infinities and NaN. Compilers vectorise
/// this loop: entire models are checked before they are saved.
bool all_finite(std::span<const float> values) {
  constexpr uint32_t exponent = 0x7f800000;
  uint32_t found = 0;
  for (const float v : values) found |= (std::bit_cast<uint32_t>(v) & exponent) == exponent;
  return found == 0;
}

std::string_view noun(Role role) {
  switch (role) {
    case Role::parameter:
      return "weight";
    case Role::buffer:
      return "buffer";
    case Role::gradient:
      return "gradient";
    case Role::moment:
      return "moment";
  }
  return "array";
}

}  // namespace

std::string_view nonfinite_in(const Array& array) {
  if (!is_float(array.dtype())) return {};
  if (array.dtype() == DType::f32 && all_finite(array.data<float>())) return {};
  for (int64_t i = 0; i < array.numel(); ++i) {
    const double value = array.at(i);
    if (std::isfinite(value)) continue;
    return std::isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf";
  }
  return {};
}

std::string nonfinite_in(State& state, std::initializer_list<Role> roles) {
  for (const Role role : roles) {
    for (const std::string& name : state.names(role)) {
      const std::string_view what = nonfinite_in(state.get(name));
      if (!what.empty())
        return std::string(noun(role)) + " " + name + " holds " + std::string(what);
    }
  }
  return {};
}

NonFinite nonfinite_origin(const Program& program, Memory& memory, State& state,
                           const Inputs& inputs, std::initializer_list<Role> roles) {
  using From = NonFinite::From;
  for (const auto& [name, array] : inputs) {
    if (const std::string_view what = nonfinite_in(array); !what.empty())
      return {From::input, "the input holds " + std::string(what)};
  }
  if (std::string array = nonfinite_in(state, roles); !array.empty()) return {From::state, array};
  const std::string layer = program.first_nonfinite(memory, state, inputs);
  if (layer.empty()) return {};
  return {From::layer, layer + " computed a number that is not finite"};
}

Error nonfinite_error(std::string headline, const NonFinite& origin) {
  Error error(ErrorKind::diverged, std::move(headline));
  if (!origin.text.empty()) error.with("first", origin.text);
  switch (origin.from) {
    case NonFinite::From::input:
      return error.with(
          "try",
          "inputs without such numbers; fovea data check names the samples of a data set that hold "
          "them");
    case NonFinite::From::state:
      return error.with("try", "weights saved before training diverged");
    default:
      return error.with("try",
                        "inputs prepared as the model expects, weights saved before training "
                        "diverged, or training with a lower --lr");
  }
}

}  // namespace fovea
