#include "fovea/models/backbone.h"
#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// `x` scaled to the size of `to`, bilinear.
Tensor at_size_of(const Tensor& x, const Tensor& to) {
  return upsample_to(x, {to.dim(2), to.dim(3)}, {.mode = UpsampleMode::linear});
}

nn::ConvOptions without_bias(int64_t kernel, int64_t dilation = 1) {
  return {.kernel = kernel, .padding = kernel / 2 * dilation, .dilation = dilation, .bias = false};
}

/// Appends a convolution, a norm and a relu.
void add_layers(nn::Sequential& to, int64_t in, int64_t out, const nn::ConvOptions& options) {
  to.add<nn::Conv2d>(in, out, options);
  to.add<nn::BatchNorm2d>(out);
  to.add<nn::ReLU>();
}

/// A 3x3 and a 1x1 convolution: x [N, in, H, W] gives logits [N, classes, H, W].
class FcnHead : public nn::Sequential {
 public:
  FcnHead(const nn::Scope& s, int64_t in, int64_t classes, double dropout) : Sequential(s) {
    add_layers(*this, in, in / 4, without_bias(3));
    add<nn::Dropout>(dropout);
    add<nn::Conv2d>(in / 4, classes, nn::ConvOptions{.kernel = 1});
  }
};

/// The mean of the image, through a 1x1 convolution, at every pixel.
class ImagePooling : public nn::Sequential {
 public:
  ImagePooling(const nn::Scope& s, int64_t in, int64_t out) : Sequential(s) {
    add<nn::AdaptiveAvgPool2d>(1);
    add_layers(*this, in, out, without_bias(1));
  }
  Tensor forward(Tensor x) const override { return at_size_of(Sequential::forward(x), x); }
};

/// Atrous spatial pyramid pooling: convolutions of several dilations side by side, joined.
class Aspp : public nn::Module {
 public:
  static constexpr int64_t width = 256;

  Aspp(const nn::Scope& s, int64_t in, double dropout)
      : Module(s), convs(at("convs")), project(at("project")) {
    add_layers(convs.add<nn::Sequential>(), in, width, without_bias(1));
    for (const int64_t dilation : {12, 24, 36})
      add_layers(convs.add<nn::Sequential>(), in, width, without_bias(3, dilation));
    convs.add<ImagePooling>(in, width);
    add_layers(project, 5 * width, width, without_bias(1));
    project.add<nn::Dropout>(dropout);
  }

  Tensor forward(Tensor x) const override {
    Tensors branches;
    for (const nn::Module* branch : convs.children()) branches.push_back((*branch)(x));
    return project(concat(branches, 1));
  }

 private:
  nn::Sequential convs, project;
};

/// The head of DeepLabv3.
class DeepLabHead : public nn::Sequential {
 public:
  DeepLabHead(const nn::Scope& s, int64_t in, int64_t classes, double dropout) : Sequential(s) {
    add<Aspp>(in, dropout);
    add_layers(*this, Aspp::width, Aspp::width, without_bias(3));
    add<nn::Conv2d>(Aspp::width, classes, nn::ConvOptions{.kernel = 1});
  }
};

/// What a net is built on.
struct SegmenterPlan {
  std::string backbone;
  size_t auxiliary;  ///< the stage that the auxiliary head sees, from 0
  int dilated;
};

std::unique_ptr<Backbone> backbone_of(const SegmenterPlan& plan, const nn::Scope& s,
                                      const Config& c) {
  const BackboneOptions options{.in_channels = c.input[0], .dilated = plan.dilated};
  return make_backbone(plan.backbone, s, options);
}

/// A backbone whose last strides are dilations, and a head, whose logits are scaled to the size of
/// the image: Long et al. 2015, "Fully convolutional networks for semantic segmentation", and Chen
/// et al. 2017, "Rethinking atrous convolution for semantic image segmentation". Arrays have
/// torchvision's names. With `aux` there is the side output "aux".
template <class Head>
class DilatedNet : public nn::Module {
 public:
  DilatedNet(const nn::Scope& s, const Config& c, const SegmenterPlan& plan)
      : Module(s),
        auxiliary_(plan.auxiliary),
        backbone(backbone_of(plan, at("backbone"), c)),
        classifier(at("classifier"), backbone->channels().back(), c.outputs,
                   c.choices.number("dropout")) {
    if (!c.choices.flag("aux")) return;
    const int64_t in = backbone->channels()[auxiliary_];
    aux_classifier.emplace(at("aux_classifier"), in, c.outputs,
                           std::min(c.choices.number("dropout"), 0.1));
  }

  Tensor forward(Tensor x) const override {
    const Tensors stages = nn::call(*backbone, x, Backbone::Stages{});
    if (aux_classifier && x.graph().has_side_outputs())
      x.graph().output("aux", at_size_of((*aux_classifier)(stages[auxiliary_]), x));
    return at_size_of(classifier(stages.back()), x);
  }

 private:
  size_t auxiliary_;
  std::unique_ptr<Backbone> backbone;
  Head classifier;
  std::optional<FcnHead> aux_classifier;
};

/// The head of LR-ASPP: gated features, and those of a larger map beside them.
class LrasppHead : public nn::Module {
 public:
  using Module::forward;

  LrasppHead(const nn::Scope& s, int64_t low, int64_t high, int64_t classes)
      : Module(s),
        cbr(at("cbr")),
        scale(at("scale")),
        low_classifier(at("low_classifier"), low, classes, {.kernel = 1}),
        high_classifier(at("high_classifier"), width, classes, {.kernel = 1}) {
    add_layers(cbr, high, width, without_bias(1));
    scale.add<nn::AdaptiveAvgPool2d>(1);
    scale.add<nn::Conv2d>(high, width, without_bias(1));
    scale.add<nn::Sigmoid>();
  }

  Tensor forward(const Tensor& low, const Tensor& high) const {
    const Tensor gated = at_size_of(cbr(high) * scale(high), low);
    return low_classifier(low) + high_classifier(gated);
  }

 private:
  static constexpr int64_t width = 128;

  nn::Sequential cbr, scale;
  nn::Conv2d low_classifier, high_classifier;
};

/// Howard et al. 2019, "Searching for MobileNetV3": its head for segmentation. Arrays have
/// torchvision's names.
class Lraspp : public nn::Module {
 public:
  Lraspp(const nn::Scope& s, const Config& c)
      : Module(s),
        backbone(make_backbone("mobilenet_v3_large", at("backbone"),
                               {.in_channels = c.input[0], .dilated = 1})),
        classifier(at("classifier"), backbone->channels()[low], backbone->channels().back(),
                   c.outputs) {}

  Tensor forward(Tensor x) const override {
    const Tensors stages = nn::call(*backbone, x, Backbone::Stages{});
    return at_size_of(nn::call(classifier, stages[low], stages.back()), x);
  }

 private:
  static constexpr size_t low = 1;  ///< the stage of stride 8

  std::unique_ptr<Backbone> backbone;
  LrasppHead classifier;
};

constexpr int64_t voc_classes = 21;

template <class Head>
Entry dilated(std::string name, const SegmenterPlan& plan, double default_dropout,
              const Counts& counts) {
  return {.name = std::move(name),
          .outputs = voc_classes,
          .input = {3, 224, 224},
          .choices = {dropout(default_dropout), aux()},
          .counts = counts,
          .build = build<DilatedNet<Head>>(plan),
          .task = "segment"};
}

}  // namespace

// Counts: torchvision's nets; those with resnet18 and 34 the same nets in PyTorch.
std::vector<Entry> segmentation() {
  const SegmenterPlan mobilenet{.backbone = "mobilenet_v3_large", .auxiliary = 1, .dilated = 1};
  const auto resnet = [](std::string name) {
    return SegmenterPlan{.backbone = std::move(name), .auxiliary = 2, .dilated = 2};
  };
  return {
      dilated<FcnHead>("fcn_resnet18", resnet("resnet18"), 0.1, {11'769'301, 9'856, 9'676'843'008}),
      dilated<FcnHead>("fcn_resnet34", resnet("resnet34"), 0.1,
                       {21'877'461, 17'280, 17'769'228'288}),
      dilated<FcnHead>("fcn_resnet50", resnet("resnet50"), 0.1,
                       {32'957'013, 54'144, 26'484'498'432}),
      dilated<FcnHead>("fcn_resnet101", resnet("resnet101"), 0.1,
                       {51'949'141, 106'368, 41'333'383'168}),
      dilated<DeepLabHead>("deeplabv3_resnet18", resnet("resnet18"), 0.5,
                           {15'904'085, 13'184, 12'813'275'136}),
      dilated<DeepLabHead>("deeplabv3_resnet34", resnet("resnet34"), 0.5,
                           {26'012'245, 20'608, 20'905'660'416}),
      dilated<DeepLabHead>("deeplabv3_resnet50", resnet("resnet50"), 0.5,
                           {39'638'869, 56'704, 31'310'548'992}),
      dilated<DeepLabHead>("deeplabv3_resnet101", resnet("resnet101"), 0.5,
                           {58'630'997, 108'928, 46'159'433'728}),
      dilated<DeepLabHead>("deeplabv3_mobilenet_v3_large", mobilenet, 0.5,
                           {11'025'477, 27'984, 1'882'169'120}),
      {.name = "lraspp_mobilenet_v3_large",
       .outputs = voc_classes,
       .input = {3, 224, 224},
       .counts = Counts{3'221'538, 24'656, 379'281'312},
       .build = build<Lraspp>(),
       .task = "segment"}};
}

}  // namespace fovea::models
