#pragma once

#include <cmath>
#include <map>
#include <string>
#include <string_view>

#include "fovea/core/parallel.h"
#include "fovea/formats/safetensors.h"
#include "fovea/nn/module.h"
#include "paths.h"

/// Golden files hold results only: inputs are filled by this rule, here and in
/// scripts/golden/golden.py. Element i of the tensor called `name` is drawn from splitmix64, seeded
/// with the FNV-1a hash of the name and advanced i + 1 times.
namespace fovea::golden_fill {

/// The FNV-1a hash of 64 bits.
inline uint64_t fnv(std::string_view text) {
  uint64_t value = 0xcbf29ce484222325;
  for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

/// The 64-bit words generated from a name.
class Words {
 public:
  explicit Words(std::string_view name) : seed_(fnv(name)) {}
  uint64_t operator[](int64_t i) const {
    uint64_t z = seed_ + (static_cast<uint64_t>(i) + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Uniform in [-1, 1).
  double uniform(int64_t i) const { return static_cast<double>((*this)[i] >> 11) * 0x1p-52 - 1; }

 private:
  uint64_t seed_;
};

/// Every element of an f32 or f64 array: shift + scale * uniform.
inline void fill(std::string_view name, Array& array, double scale, double shift) {
  const Words words(name);
  parallel_for(array.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
    const auto write = [&](auto elements) {
      for (int64_t i = begin; i < end; ++i) {
        elements[static_cast<size_t>(i)] =
            static_cast<std::decay_t<decltype(elements[0])>>(shift + scale * words.uniform(i));
      }
    };
    array.dtype() == DType::f32 ? write(array.data<float>()) : write(array.data<double>());
  });
}

inline Array uniform(std::string_view name, DType dtype, const Shape& shape) {
  Array array(dtype, shape);
  fill(name, array, 1, 0);
  return array;
}

inline Array labels(std::string_view name, int64_t count, int64_t classes) {
  const Words words(name);
  Array array(DType::i64, {count});
  for (int64_t i = 0; i < count; ++i)
    array.data<int64_t>()[static_cast<size_t>(i)] =
        static_cast<int64_t>(words[i] % static_cast<uint64_t>(classes));
  return array;
}

/// A parameter or buffer of a net, scaled by what its name and shape say it is.
inline void value(std::string_view name, Array& array) {
  const std::string_view kind = name.substr(name.rfind('.') + 1);
  if (kind == "num_batches_tracked") return;
  const bool matrix = array.shape().rank() > 1;
  const double scale = matrix ? std::sqrt(6.0 / static_cast<double>(array.shape().slice(1).numel()))
                       : kind == "weight"      ? 0.25
                       : kind == "running_var" ? 0.5
                                               : 0.1;
  const double shift = !matrix && (kind == "weight" || kind == "running_var") ? 1 : 0;
  fill(name, array, scale, shift);
}

/// Declares a model's arrays in `state`, each filled by `value`.
inline void declare(State& state, const nn::Module& model, DType dtype) {
  nn::declare(state, model, 0, dtype);
  for (const nn::Variable* variable : model.variables()) {
    const Type& type = state.type(variable->name());
    Array array = Array::zeros(type.dtype, type.shape);
    value(variable->name(), array);
    state.set(variable->name(), array);
  }
}

/// The tensors of tests/golden/NAME.safetensors.
inline std::map<std::string, Array> file(const std::string& name) {
  const SafeTensors contents =
      read_safetensors(tests_folder() + "/golden/" + name + ".safetensors");
  return {contents.tensors.begin(), contents.tensors.end()};
}

}  // namespace fovea::golden_fill
