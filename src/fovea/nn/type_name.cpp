#include "fovea/nn/type_name.h"

#include <cxxabi.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <typeindex>

#include "fovea/nn/activation.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/pool.h"

namespace fovea::nn {
namespace {

/// Aliases of templates with arguments: the compiler only knows the latter.
const std::map<std::type_index, const char*>& aliases() {
  static const std::map<std::type_index, const char*> names{
      {typeid(Conv1d), "Conv1d"},
      {typeid(Conv2d), "Conv2d"},
      {typeid(Conv3d), "Conv3d"},
      {typeid(ConvTranspose1d), "ConvTranspose1d"},
      {typeid(ConvTranspose2d), "ConvTranspose2d"},
      {typeid(ConvTranspose3d), "ConvTranspose3d"},
      {typeid(MaxPool1d), "MaxPool1d"},
      {typeid(MaxPool2d), "MaxPool2d"},
      {typeid(MaxPool3d), "MaxPool3d"},
      {typeid(AvgPool1d), "AvgPool1d"},
      {typeid(AvgPool2d), "AvgPool2d"},
      {typeid(AvgPool3d), "AvgPool3d"},
      {typeid(AdaptiveAvgPool1d), "AdaptiveAvgPool1d"},
      {typeid(AdaptiveAvgPool2d), "AdaptiveAvgPool2d"},
      {typeid(AdaptiveAvgPool3d), "AdaptiveAvgPool3d"},
      {typeid(AdaptiveMaxPool1d), "AdaptiveMaxPool1d"},
      {typeid(AdaptiveMaxPool2d), "AdaptiveMaxPool2d"},
      {typeid(AdaptiveMaxPool3d), "AdaptiveMaxPool3d"},
      {typeid(ReLU), "ReLU"},
      {typeid(ReLU6), "ReLU6"},
      {typeid(GELU), "GELU"},
      {typeid(GELUTanh), "GELUTanh"},
      {typeid(SiLU), "SiLU"},
      {typeid(Mish), "Mish"},
      {typeid(Sigmoid), "Sigmoid"},
      {typeid(Tanh), "Tanh"},
      {typeid(Hardsigmoid), "Hardsigmoid"},
      {typeid(Hardswish), "Hardswish"},
  };
  return names;
}

std::string made_name(const Module& module) {
  const auto alias = aliases().find(typeid(module));
  if (alias != aliases().end()) return alias->second;
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(typeid(module).name(), nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? text.get() : typeid(module).name();
  name = name.substr(0, name.find('<'));
  const size_t qualified = name.rfind("::");
  return qualified == std::string::npos ? name : name.substr(qualified + 2);
}

}  // namespace

const std::string& type_name(const Module& module) {
  static std::mutex mutex;
  static std::map<std::type_index, std::string> names;  // every module call looks it up
  const std::lock_guard lock(mutex);
  std::string& name = names[typeid(module)];
  if (name.empty()) name = made_name(module);
  return name;
}

}  // namespace fovea::nn
