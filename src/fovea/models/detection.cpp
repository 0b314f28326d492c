#include <cmath>
#include <numeric>

#include "fovea/models/anchors.h"
#include "fovea/models/backbone.h"
#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {

// Those with a backbone.
std::vector<Entry> resnet();
std::vector<Entry> mobilenet_v3();
std::vector<Entry> regnet();
std::vector<Entry> convnext();

namespace {

constexpr int64_t coco_classes = 91;  // with the background, and those that no image has

/// Maps [N, B * C, H, W] of B boxes at each pixel as [N, C, H * W * B].
Tensor at_anchors(const Tensor& maps, int64_t boxes) {
  const int64_t n = maps.dim(0), c = maps.dim(1) / boxes, pixels = maps.dim(2) * maps.dim(3);
  if (boxes == 1) return reshape(maps, {n, c, pixels});
  return reshape(permute(reshape(maps, {n, boxes, c, pixels}), {0, 2, 3, 1}),
                 {n, c, pixels * boxes});
}

std::vector<MapSize> sizes_of(const Tensors& maps) {
  std::vector<MapSize> sizes;
  for (const Tensor& map : maps) sizes.push_back({map.dim(2), map.dim(3)});
  return sizes;
}

/// What a head says of each level, and how many anchors that has.
struct Levels {
  Tensors logits, boxes, centerness;
  std::vector<int64_t> anchors;

  void add(const Tensor& of_classes, const Tensor& of_boxes, int64_t at_each_pixel) {
    logits.push_back(at_anchors(of_classes, at_each_pixel));
    boxes.push_back(at_anchors(of_boxes, at_each_pixel));
    anchors.push_back(logits.back().dim(2));
  }
  /// Of all levels, for images of this size.
  Tensor joined(DetectionHead head, const Array& all_anchors, int64_t height, int64_t width) const {
    head.levels = anchors;
    head.height = static_cast<double>(height);
    head.width = static_cast<double>(width);
    const Tensor all = concat(logits, 2);
    return detection_head(head, all, concat(boxes, 2),
                          centerness.empty() ? Tensor() : concat(centerness, 2),
                          all.graph().constant(all_anchors.astype(all.dtype())));
  }
};

/// The bias with which a sigmoid gives every class a probability of 0.01.
nn::Initializer rare() { return nn::init::constant(-std::log((1 - 0.01) / 0.01)); }

nn::ConvOptions same_size() { return {.kernel = 3, .padding = 1}; }

constexpr int convolutions = 4;

/// The two branches of RetinaNet's head, for classes and boxes: 3x3 convolutions with relus, and
/// one for the result.
class RetinaNetBranch : public nn::Module {
 public:
  RetinaNetBranch(const nn::Scope& s, std::string_view result, int64_t channels, int64_t out)
      : Module(s), conv(at("conv")), last(at(result), channels, out, same_size()) {
    for (int i = 0; i < convolutions; ++i) {
      auto& layer = conv.add<nn::Sequential>();
      layer.add<nn::Conv2d>(channels, channels, same_size());
      layer.add<nn::ReLU>();
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::normal(0.01));
  }
  Tensor forward(Tensor x) const override { return last(conv(x)); }

  nn::Sequential conv;
  nn::Conv2d last;
};

class RetinaNetHead : public nn::Module {
 public:
  RetinaNetHead(const nn::Scope& s, int64_t channels, int64_t outputs)
      : Module(s),
        classification_head(at("classification_head"), "cls_logits", channels, boxes * outputs),
        regression_head(at("regression_head"), "bbox_reg", channels, boxes * 4) {
    classification_head.last.bias->initialize(rare());
  }

  Tensor at_maps(const Tensors& maps, int64_t padded_height, int64_t padded_width, int64_t height,
                 int64_t width) const {
    Levels levels;
    std::vector<std::vector<double>> sizes;
    for (const Tensor& map : maps) {
      levels.add(classification_head(map), regression_head(map), boxes);
      const double size = std::exp2(5 + static_cast<double>(sizes.size()));
      sizes.push_back({size, std::floor(size * std::cbrt(2)), std::floor(size * std::cbrt(4))});
    }
    return levels.joined(
        {.kind = DetectionKind::retinanet, .score = 0.05, .nms = 0.5, .max_boxes = 300},
        grid_anchors(sizes_of(maps), padded_height, padded_width, sizes, {0.5, 1, 2}), height,
        width);
  }

 private:
  static constexpr int64_t boxes = 9;  // three sizes of three shapes

  RetinaNetBranch classification_head, regression_head;
};

/// 3x3 convolutions with group norms and relus.
class FcosTower : public nn::Sequential {
 public:
  FcosTower(const nn::Scope& s, int64_t channels) : Sequential(s) {
    for (int i = 0; i < convolutions; ++i) {
      add<nn::Conv2d>(channels, channels, same_size());
      add<nn::GroupNorm>(std::gcd<int64_t, int64_t>(32, channels), channels);
      add<nn::ReLU>();
    }
  }
};

class FcosHead : public nn::Module {
 public:
  FcosHead(const nn::Scope& s, int64_t channels, int64_t outputs)
      : Module(s),
        classification_head(at("classification_head"), channels, outputs),
        regression_head(at("regression_head"), channels) {
    nn::initialize<nn::Conv2d>(*this, nn::init::normal(0.01));
    classification_head.cls_logits.bias->initialize(rare());
  }

  Tensor at_maps(const Tensors& maps, int64_t padded_height, int64_t padded_width, int64_t height,
                 int64_t width) const {
    Levels levels;
    std::vector<std::vector<double>> sizes;
    for (const Tensor& map : maps) {
      const Tensors said = nn::call(regression_head, map, Both{});
      levels.add(classification_head(map), said[0], 1);
      levels.centerness.push_back(at_anchors(said[1], 1));
      sizes.push_back({std::exp2(3 + static_cast<double>(sizes.size()))});
    }
    return levels.joined({.kind = DetectionKind::fcos, .score = 0.2, .nms = 0.6, .max_boxes = 100},
                         grid_anchors(sizes_of(maps), padded_height, padded_width, sizes, {1}),
                         height, width);
  }

 private:
  struct Classes : nn::Module {
    Classes(const nn::Scope& s, int64_t channels, int64_t outputs)
        : Module(s),
          conv(at("conv"), channels),
          cls_logits(at("cls_logits"), channels, outputs, same_size()) {}
    Tensor forward(Tensor x) const override { return cls_logits(conv(x)); }

    FcosTower conv;
    nn::Conv2d cls_logits;
  };
  /// Chooses the form of `forward` that gives distances and centerness.
  struct Both {};
  struct Boxes : nn::Module {
    using Module::forward;
    Boxes(const nn::Scope& s, int64_t channels)
        : Module(s),
          conv(at("conv"), channels),
          bbox_reg(at("bbox_reg"), channels, 4, same_size()),
          bbox_ctrness(at("bbox_ctrness"), channels, 1, same_size()) {}
    Tensors forward(const Tensor& x, Both) const {
      const Tensor y = conv(x);
      return {relu(bbox_reg(y)), bbox_ctrness(y)};
    }

    FcosTower conv;
    nn::Conv2d bbox_reg, bbox_ctrness;
  };

  Classes classification_head;
  Boxes regression_head;
};

/// What the nets with a pyramid differ in.
struct DetectorPlan {
  std::string backbone;  ///< "": the choice of that name
  double frozen_eps;     ///< of frozen norms, as in the published net
};

/// A backbone and the pyramid of its last three stages: five maps, at strides of 8 to 128.
class PyramidBackbone : public nn::Module {
 public:
  using Module::forward;

  PyramidBackbone(const nn::Scope& s, const Config& c, const DetectorPlan& plan, int64_t out)
      : Module(s),
        body(make_backbone(plan.backbone.empty() ? c.choices.word("backbone") : plan.backbone,
                           at("body"), options(c, plan))),
        fpn(at("fpn"), seen(*body), out, true) {}

  Tensors forward(const Tensor& x, Backbone::Stages) const {
    const Tensors stages = nn::call(*body, x, Backbone::Stages{});
    return nn::call(fpn, stages[1], Tensors(stages.begin() + 2, stages.end()));
  }

 private:
  static BackboneOptions options(const Config& c, const DetectorPlan& plan) {
    BackboneOptions options{.in_channels = c.input[0], .width = c.choices.number("width")};
    if (c.choices.word("norm") == "frozen")
      options.norm = nn::BatchNormOptions{.eps = plan.frozen_eps, .frozen = true};
    return options;
  }
  /// The channels of the stages that the pyramid sees.
  static std::vector<int64_t> seen(const Backbone& body) {
    const std::vector<int64_t> all = body.channels();
    return {all.begin() + 1, all.end()};
  }

  std::unique_ptr<Backbone> body;
  nn::FeaturePyramid fpn;
};

/// A head on a feature pyramid: Lin et al. 2017, "Focal loss for dense object detection", and Tian
/// et al. 2019, "FCOS: fully convolutional one-stage object detection". Arrays have torchvision's
/// names. Images of any size are padded with zeros, at the right and below, to multiples of 32.
template <class Head>
class PyramidNet : public nn::Module {
 public:
  PyramidNet(const nn::Scope& s, const Config& c, const DetectorPlan& plan)
      : Module(s),
        channels_(round_channels(static_cast<double>(c.choices.integer("pyramid_channels")) *
                                 c.choices.number("width"))),
        backbone(at("backbone"), c, plan, channels_),
        head(at("head"), channels_, c.outputs) {}

  Tensor forward(Tensor x) const override {
    const int64_t height = x.dim(2), width = x.dim(3);
    const int64_t below = -height & 31, right = -width & 31;
    if (below > 0 || right > 0) x = pad(x, {{0, below}, {0, right}});
    const Tensors maps = nn::call(backbone, x, Backbone::Stages{});
    return head.at_maps(maps, height + below, width + right, height, width);
  }

 private:
  int64_t channels_;
  PyramidBackbone backbone;
  Head head;
};

constexpr nn::BatchNormOptions ssd_norm{.eps = 1e-3, .momentum = 0.03};

/// MobileNetV3's two maps and four more, each half as large as the one before it.
class SsdBackbone : public nn::Module {
 public:
  using Module::forward;

  SsdBackbone(const nn::Scope& s, int64_t in)
      : Module(s),
        features(mobilenet_v3_ssd(at("features"), {.in_channels = in, .norm = ssd_norm})),
        extra(at("extra")),
        channels_(features->channels()) {
    for (const int64_t out : {512, 256, 256, 128}) {
      auto& block = extra.add<nn::Sequential>();
      const int64_t hidden = out / 2;
      using Options = nn::ConvNormActOptions;
      block.add<nn::ConvNormAct<nn::ReLU6>>(channels_.back(), hidden,
                                            Options{.kernel = 1, .norm = ssd_norm});
      block.add<nn::ConvNormAct<nn::ReLU6>>(
          hidden, hidden, Options{.stride = 2, .groups = hidden, .norm = ssd_norm});
      block.add<nn::ConvNormAct<nn::ReLU6>>(hidden, out, Options{.kernel = 1, .norm = ssd_norm});
      channels_.push_back(out);
    }
    nn::initialize<nn::Conv2d>(extra, nn::init::normal(0.03));
  }

  Tensors forward(const Tensor& x, Backbone::Stages) const {
    Tensors maps = nn::call(*features, x, Backbone::Stages{});
    for (const nn::Module* block : extra.children()) maps.push_back((*block)(maps.back()));
    return maps;
  }

  /// Of the maps.
  const std::vector<int64_t>& channels() const { return channels_; }

 private:
  std::unique_ptr<Backbone> features;
  nn::Sequential extra;
  std::vector<int64_t> channels_;
};

/// For each map a depthwise and a 1x1 convolution.
class SsdBranch : public nn::Module {
 public:
  SsdBranch(const nn::Scope& s, const std::vector<int64_t>& in, int64_t out)
      : Module(s), module_list(at("module_list")) {
    for (const int64_t channels : in) {
      auto& block = module_list.add<nn::Sequential>();
      block.add<nn::ConvNormAct<nn::ReLU6>>(
          channels, channels, nn::ConvNormActOptions{.groups = channels, .norm = ssd_norm});
      block.add<nn::Conv2d>(channels, out, nn::ConvOptions{.kernel = 1});
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::normal(0.03));
  }
  Tensor at_level(size_t level, const Tensor& map) const {
    return (*module_list.children()[level])(map);
  }

 private:
  nn::Sequential module_list;
};

/// Sandler et al. 2018 and Howard et al. 2019: an SSD of depthwise convolutions on MobileNetV3.
/// Arrays have torchvision's names.
class SsdLite : public nn::Module {
 public:
  SsdLite(const nn::Scope& s, const Config& c)
      : Module(s),
        backbone(at("backbone"), c.input[0]),
        head(at("head"), backbone.channels(), c.outputs) {}

  Tensor forward(Tensor x) const override {
    const Tensors maps = nn::call(backbone, x, Backbone::Stages{});
    Levels levels;
    std::vector<double> scales;
    for (size_t i = 0; i < maps.size(); ++i) {
      levels.add(head.classification_head.at_level(i, maps[i]),
                 head.regression_head.at_level(i, maps[i]), boxes);
      scales.push_back(0.2 + 0.75 * static_cast<double>(i) / static_cast<double>(maps.size() - 1));
    }
    scales.push_back(1);
    return levels.joined({.kind = DetectionKind::ssd,
                          .score = 0.001,
                          .nms = 0.55,
                          .candidates = 300,
                          .max_boxes = 300},
                         default_boxes(sizes_of(maps), x.dim(2), x.dim(3), scales, {2, 3}),
                         x.dim(2), x.dim(3));
  }

 private:
  static constexpr int64_t boxes = 6;

  struct Head : nn::Module {
    Head(const nn::Scope& s, const std::vector<int64_t>& in, int64_t outputs)
        : Module(s),
          classification_head(at("classification_head"), in, boxes * outputs),
          regression_head(at("regression_head"), in, boxes * 4) {}
    SsdBranch classification_head, regression_head;
  };

  SsdBackbone backbone;
  Head head;
};

Argument norm() {
  return {.name = "norm",
          .type = ArgumentType::word,
          .default_value = std::string("batch"),
          .words = {"batch", "frozen"},
          .help = "norms of the backbone: batch, or frozen, which are never trained"};
}

Argument pyramid_channels() {
  return {.name = "pyramid_channels",
          .type = ArgumentType::integer,
          .default_value = int64_t{256},
          .minimum = 1,
          .maximum = 65536,
          .help = "channels of the pyramid's maps and the head, before the width"};
}

Argument backbone() {
  std::vector<std::string> names;
  for (const auto& family : {resnet(), mobilenet_v3(), regnet(), convnext()}) {
    for (const Entry& entry : family) {
      if (entry.backbone) names.push_back(entry.name);
    }
  }
  return {.name = "backbone",
          .type = ArgumentType::word,
          .default_value = std::string("resnet18"),
          .words = std::move(names),
          .help = "the net whose feature maps the detector uses"};
}

template <class Head>
Entry pyramid(std::string name, const DetectorPlan& plan, int64_t side, const Counts& counts) {
  Entry entry{.name = std::move(name),
              .outputs = coco_classes,
              .input = {3, side, side},
              .choices = {width(), pyramid_channels(), norm()},
              .counts = counts,
              .build = build<PyramidNet<Head>>(plan),
              .task = "detect"};
  if (plan.backbone.empty()) entry.choices.push_back(backbone());
  return entry;
}

}  // namespace

// Counts: torchvision's nets; those with resnet18 the same nets in PyTorch.
std::vector<Entry> detection() {
  const double usual = 1e-5;
  return {pyramid<RetinaNetHead>("retinanet_resnet50_fpn", {"resnet50", 0}, 800,
                                 {34'068'119, 53'120, 151'540'437'248}),
          pyramid<FcosHead>("fcos_resnet50_fpn", {"resnet50", usual}, 800,
                            {32'322'720, 53'120, 128'207'052'800}),
          pyramid<FcosHead>("fcos_resnet18_fpn", {"resnet18", usual}, 320,
                            {19'303'072, 9'600, 15'593'062'400}),
          pyramid<RetinaNetHead>("retinanet_fpn", {"", usual}, 320,
                                 {21'048'471, 9'600, 19'324'865'024}),
          pyramid<FcosHead>("fcos_fpn", {"", usual}, 320, {19'303'072, 9'600, 15'593'062'400}),
          {.name = "ssdlite320_mobilenet_v3_large",
           .outputs = coco_classes,
           .input = {3, 320, 320},
           .counts = Counts{3'440'060, 32'944, 583'171'904},
           .build = build<SsdLite>(),
           .task = "detect"}};
}

}  // namespace fovea::models
