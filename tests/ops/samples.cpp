#include "ops/samples.h"

#include "fovea/ops.h"
#include "fovea/ops/fold.h"
#include "ops/draw.h"

namespace fovea::harness {
namespace {

std::vector<Sample> convolutions(DType dtype) {
  return repeat("conv", shapes_per_op, [&](Random& r) {
    const int64_t groups = pick(r, 1, 3), group_in = pick(r, 1, 2), group_out = pick(r, 1, 2);
    const Shape x = pick_image(r, groups * group_in, 7);
    const int axes = x.rank() - 2;
    const Shape kernel(std::span<const int64_t>(pick_dims(r, axes, 1, 3)));
    Conv op{.geometry = {pick_dims(r, axes, 1, 3), pick_dims(r, axes, 1, 3),
                         pick_dims(r, axes, 0, 2), pick_dims(r, axes, 0, 2), groups},
            .kernel = kernel,
            .bias = r.below(2) == 0};
    std::vector<SampleInput> inputs{
        {{dtype, x}, normal},
        {{dtype, Shape{groups * group_out, group_in}.concat(kernel)}, normal}};
    if (op.bias) inputs.push_back({{dtype, {groups * group_out}}, normal});
    return Sample{{}, op, inputs};
  });
}

std::vector<Sample> linears(DType dtype) {
  return repeat("linear", shapes_per_op, [&](Random& r) {
    const Shape x = pick_shape(r, 1, 4, 5);
    const int64_t outs = pick(r, 1, 6);
    const bool bias = r.below(2) == 0;
    std::vector<SampleInput> inputs{{{dtype, x}, normal}, {{dtype, {outs, x[-1]}}, normal}};
    if (bias) inputs.push_back({{dtype, {outs}}, normal});
    return Sample{{}, Linear{bias}, inputs};
  });
}

std::vector<Sample> matmuls(DType dtype) {
  return repeat("matmul", shapes_per_op, [&](Random& r) {
    const bool ta = r.below(2) == 0, tb = r.below(2) == 0;
    const Shape lead = pick_shape(r, 0, 2, 3);
    const int64_t m = pick(r, 1, 5), k = pick(r, 1, 5), n = pick(r, 1, 5);
    return Sample{{},
                  MatMul{ta, tb},
                  {{{dtype, lead.concat(ta ? Shape{k, m} : Shape{m, k})}, normal},
                   {{dtype, lead.concat(tb ? Shape{n, k} : Shape{k, n})}, normal}}};
  });
}

std::vector<Sample> activations(DType dtype) {
  std::vector<Sample> samples;
  for (int i = 0; i < unary_kinds; ++i) {
    const auto kind = static_cast<UnaryKind>(i);
    const UnaryRule& rule = unary_rule(kind);
    const bool positive = kind == UnaryKind::log || kind == UnaryKind::sqrt;
    const Fill fill = positive ? uniform(0.2, 4) : away_from({-3, 0, 3, 6}, 3);
    append(samples, repeat(std::string(rule.name), shapes_per_op, [&](Random& r) {
             const double alpha = rule.parameter.empty() ? 0 : 0.1 + r.uniform();
             return Sample{{}, Unary{kind, alpha}, {{{dtype, pick_shape(r, 0, 5)}, fill}}};
           }));
  }
  return samples;
}

std::vector<Sample> arithmetic(DType dtype) {
  std::vector<Sample> samples;
  const Fill divisor = uniform(0.5, 2);
  for (size_t k = 0; k < enum_names(BinaryKind{}).size(); ++k) {
    const auto kind = static_cast<BinaryKind>(k);
    const Fill second = kind == BinaryKind::div ? divisor : normal;
    append(samples, repeat(std::string(Binary{kind}.name()), shapes_per_op, [&](Random& r) {
             const Type type{dtype, pick_shape(r, 0, 5)};
             return Sample{{}, Binary{kind}, {{type, normal}, {type, second}}};
           }));
    append(samples,
           repeat(std::string(BroadcastBinary{kind}.name()), shapes_per_op, [&](Random& r) {
             const Shape full = pick_shape(r, 1, 4);
             const auto part = [&] {
               Shape shape = full.slice(static_cast<int>(pick(r, 0, full.rank())));
               for (int i = 0; i < shape.rank(); ++i) {
                 if (r.below(2) == 0) shape.set(i, 1);
               }
               return shape;
             };
             return Sample{
                 {}, BroadcastBinary{kind}, {{{dtype, part()}, normal}, {{dtype, part()}, second}}};
           }));
  }
  return samples;
}

std::vector<Sample> reductions(DType dtype) {
  std::vector<Sample> samples;
  const auto smaller = [](Random& r, const Shape& full) {
    Shape shape = full.slice(static_cast<int>(pick(r, 0, full.rank())));
    for (int i = 0; i < shape.rank(); ++i) {
      if (r.below(2) == 0) shape.set(i, 1);
    }
    return shape;
  };
  append(samples, repeat("sum_to", shapes_per_op, [&](Random& r) {
           const Shape x = pick_shape(r, 0, 5);
           return Sample{{}, SumTo{smaller(r, x)}, {{{dtype, x}, normal}}};
         }));
  append(samples, repeat("sum_of_products", shapes_per_op, [&](Random& r) {
           const Type x{dtype, pick_shape(r, 0, 5)};
           return Sample{{}, SumOfProducts{smaller(r, x.shape)}, {{x, normal}, {x, normal}}};
         }));
  append(samples, repeat("multiply_add", shapes_per_op, [&](Random& r) {
           const Shape x = pick_shape(r, 0, 5);
           return Sample{{},
                         MultiplyAdd{},
                         {{{dtype, x}, normal},
                          {{dtype, smaller(r, x)}, normal},
                          {{dtype, smaller(r, x)}, normal}}};
         }));
  append(samples, repeat("sum_of_squares", shapes_per_op, [&](Random& r) {
           return Sample{{}, SumOfSquares{}, {{{dtype, pick_shape(r, 0, 5)}, normal}}};
         }));
  append(samples, repeat("broadcast_to", shapes_per_op, [&](Random& r) {
           const Shape y = pick_shape(r, 0, 5);
           return Sample{{}, BroadcastTo{y}, {{{dtype, smaller(r, y)}, normal}}};
         }));
  append(
      samples, repeat("affine", shapes_per_op, [&](Random& r) {
        return Sample{{}, Affine{r.normal(), r.normal()}, {{{dtype, pick_shape(r, 0, 5)}, normal}}};
      }));
  return samples;
}

std::vector<Worked> worked_activations() {
  const Data x{{3}, {-4, 0, 9}};
  return {{[](const Tensors& in) { return Tensors{sqrt(abs(in[0]))}; }, {x}, {2, 0, 3}},
          {[](const Tensors& in) { return Tensors{sign(in[0])}; }, {x}, {-1, 0, 1}},
          {[](const Tensors& in) { return Tensors{pow(0.5, in[0])}; }, {x}, {16, 1, 1.0 / 512}}};
}

std::vector<Refused> refused_activations() {
  return {{[](const Tensors& in) { return Tensors{pow(0, in[0])}; },
           {{DType::f32, {3}}},
           "pow: the base is 0, not above 0\n  exponent f32[3]"}};
}

std::vector<Worked> worked_arithmetic() {
  const Data a{{3}, {-4, 2, 9}}, b{{3}, {1, 2, 3}}, one{{}, {5}};
  const auto larger = [](const Tensors& in) { return Tensors{maximum(in[0], in[1])}; };
  const auto smaller = [](const Tensors& in) { return Tensors{minimum(in[0], in[1])}; };
  return {{larger, {a, b}, {1, 2, 9}},
          {smaller, {a, b}, {-4, 2, 3}},
          {larger, {a, one}, {5, 5, 9}},
          {smaller, {one, a}, {-4, 2, 5}}};
}

std::vector<Worked> worked_reductions() {
  const Data a{{2, 2}, {1, -2, 3, 4}}, b{{2, 2}, {5, 6, 7, 8}}, row{{2}, {10, 100}};
  return {{[](const Tensors& in) { return Tensors{sum_of_squares(in[0])}; }, {a}, {30}},
          {[](const Tensors& in) { return Tensors{sum_of_products(in[0], in[1], {2})}; },
           {a, b},
           {26, 20}},
          {[](const Tensors& in) { return Tensors{multiply_add(in[0], in[1], in[1])}; },
           {a, row},
           {20, -100, 40, 500}}};
}

std::vector<Sample> pools(DType dtype) {
  std::vector<Sample> samples;
  append(samples, repeat("max_pool", shapes_per_op, [&](Random& r) {
           const Shape x = pick_image(r, pick(r, 1, 3), 8);
           return Sample{{}, MaxPool{pick_pool(r, x.rank() - 2)}, {{{dtype, x}, distinct}}};
         }));
  append(samples, repeat("avg_pool", shapes_per_op, [&](Random& r) {
           const Shape x = pick_image(r, pick(r, 1, 3), 8);
           return Sample{
               {}, AvgPool{pick_pool(r, x.rank() - 2), r.below(2) == 0}, {{{dtype, x}, normal}}};
         }));
  append(samples, repeat("adaptive_avg_pool", shapes_per_op, [&](Random& r) {
           const Shape x = pick_image(r, pick(r, 1, 3), 8);
           return Sample{
               {}, AdaptiveAvgPool{pick_dims(r, x.rank() - 2, 1, 5)}, {{{dtype, x}, normal}}};
         }));
  return samples;
}

std::vector<Sample> norms(DType dtype) {
  std::vector<Sample> samples;
  const Fill positive = uniform(0.3, 2);
  const auto image = [](Random& r, int64_t channels) {  // also [N, C]
    return r.below(4) == 0 ? Shape{pick(r, 2, 5), channels} : pick_image(r, channels, 6);
  };
  append(samples, repeat("batch_norm", shapes_per_op, [&](Random& r) {
           const int64_t channels = pick(r, 1, 4);
           const int64_t pool = r.below(3) == 0 ? pick(r, 2, 3) : 0;
           const Shape tiled{pick(r, 1, 2), channels, pool * pick(r, 1, 2), pool * pick(r, 1, 2)};
           const Type x{dtype, pool > 0 ? tiled : image(r, channels)}, vector{dtype, {channels}};
           constexpr std::optional<UnaryKind> activations[] = {std::nullopt, UnaryKind::relu,
                                                               UnaryKind::relu6, UnaryKind::silu};
           const BatchNorm op{.eps = 1e-3,
                              .momentum = 0.1,
                              .epilogue = {.residual = pool == 0 && r.below(2) == 0,
                                           .activation = activations[r.below(4)],
                                           .pool = pool}};
           std::vector<SampleInput> inputs{{x, distinct},
                                           {vector, normal},
                                           {vector, normal},
                                           {vector, normal, true},
                                           {vector, positive, true}};
           if (op.epilogue.residual) inputs.push_back({x, normal});
           return Sample{{}, op, inputs, op.epilogue.selects()};
         }));
  append(samples, repeat("batch_norm_eval", shapes_per_op, [&](Random& r) {
           const int64_t channels = pick(r, 1, 4);
           const Type vector{dtype, {channels}};
           return Sample{{},
                         BatchNormEval{.eps = 1e-5},
                         {{{dtype, image(r, channels)}, normal},
                          {vector, normal},
                          {vector, normal},
                          {vector, normal, true},
                          {vector, positive, true}}};
         }));
  append(samples, repeat("fold_batchnorm", shapes_per_op, [&](Random& r) {
           const FoldBatchNorm op{.bias = r.below(2) == 0};
           const Type vector{dtype, {pick(r, 1, 4)}};
           const Type weight{dtype, vector.shape.concat({pick(r, 1, 3), pick(r, 1, 3)})};
           std::vector<SampleInput> inputs{{weight, normal},
                                           {vector, normal},
                                           {vector, normal},
                                           {vector, normal, true},
                                           {vector, positive, true}};
           if (op.bias) inputs.push_back({vector, normal});
           return Sample{{}, op, inputs};
         }));
  append(samples, repeat("layer_norm", shapes_per_op, [&](Random& r) {
           const Shape x = pick_shape(r, 1, 4);
           const int axes = static_cast<int>(pick(r, 1, x.rank()));
           const Type row{dtype, x.slice(x.rank() - axes)};
           return Sample{
               {}, LayerNorm{axes, 1e-3}, {{{dtype, x}, distinct}, {row, normal}, {row, normal}}};
         }));
  return samples;
}

/// gamma / sqrt(var) is 1 and 2.
std::vector<Worked> worked_folds() {
  const std::vector<Data> data{{{2, 1, 2}, {1, 2, 3, 4}},
                               {{2}, {2, 6}},
                               {{2}, {10, 20}},
                               {{2}, {1, 2}},
                               {{2}, {4, 9}},
                               {{2}, {5, 7}}};
  const auto folded = [](size_t output) {
    return [=](const Tensors& in) {
      return Tensors{in[0].graph().add(FoldBatchNorm{.eps = 0, .bias = true}, in)[output]};
    };
  };
  return {{folded(0), data, {1, 2, 6, 8}}, {folded(1), data, {14, 30}}};
}

std::vector<Sample> losses(DType dtype) {
  std::vector<Sample> samples;
  append(samples, repeat("cross_entropy", shapes_per_op, [&](Random& r) {
           const int64_t batch = pick(r, 1, 5), classes = pick(r, 1, 6);
           const SoftmaxCrossEntropy op{r.below(2) == 0 ? 0 : r.uniform()};
           const Type logits{dtype, {batch, classes}};
           const SampleInput targets = r.below(2) == 0
                                           ? SampleInput{logits, uniform(0, 1), true}
                                           : SampleInput{{DType::i64, {batch}}, labels(classes)};
           return Sample{{}, op, {{logits, normal}, targets}};
         }));
  append(samples, repeat("negative_log_likelihood", shapes_per_op, [&](Random& r) {
           const int64_t classes = pick(r, 1, 5);
           const Shape shape = Shape{pick(r, 1, 3), classes}.concat(pick_shape(r, 0, 3, 3));
           NegativeLogLikelihood op{r.below(2) == 0 ? 0 : r.uniform(), {}, r.below(2) == 0};
           const bool soft = r.below(2) == 0;
           if (!soft && r.below(2) == 0) op.ignore_index = classes;  // one that no label has here
           const Shape pixels = shape.slice(0, 1).concat(shape.slice(2));
           std::vector<SampleInput> inputs{{{dtype, shape}, normal}};
           if (soft) {
             inputs.push_back({{dtype, shape}, uniform(0, 1), true});
           } else {
             inputs.push_back({{DType::i64, pixels}, labels(classes)});
           }
           if (op.weighted) inputs.push_back({{dtype, {classes}}, uniform(0.5, 2), true});
           return Sample{{}, op, inputs};
         }));
  append(samples, repeat("binary_cross_entropy", shapes_per_op, [&](Random& r) {
           const Type type{dtype, pick_shape(r, 0, 4)};
           return Sample{{}, BinaryCrossEntropy{}, {{type, normal}, {type, uniform(0, 1)}}};
         }));
  for (bool log : {false, true}) {
    append(samples, repeat(std::string(Softmax{log}.name()), shapes_per_op, [&](Random& r) {
             return Sample{{}, Softmax{log}, {{{dtype, pick_shape(r, 2, 4)}, normal}}};
           }));
  }
  return samples;
}

std::vector<Sample> dropouts(DType dtype) {
  return repeat("dropout", shapes_per_op, [&](Random& r) {
    const Dropout op{r.uniform(), r.bits64()};
    return Sample{
        {}, op, {{{dtype, pick_shape(r, 0, 4)}, normal}, {{DType::i64, {2}}, labels(1000)}}};
  });
}

std::vector<Sample> shape_ops(DType dtype) {
  std::vector<Sample> samples;
  append(samples, repeat("reshape", shapes_per_op, [&](Random& r) {
           const Shape x = pick_shape(r, 1, 4);
           const int at = static_cast<int>(pick(r, 0, x.rank() - 1));
           return Sample{
               {}, Reshape{x.slice(0, at).concat({x.slice(at).numel()})}, {{{dtype, x}, normal}}};
         }));
  append(samples, repeat("permute", shapes_per_op, [&](Random& r) {
           const Shape x = pick_shape(r, 0, 5);
           std::vector<int> axes;
           for (int i = 0; i < x.rank(); ++i) {
             axes.insert(axes.begin() + pick(r, 0, i), i);
           }
           return Sample{{}, Permute{axes}, {{{dtype, x}, normal}}};
         }));
  append(samples, repeat("concat", shapes_per_op, [&](Random& r) {
           Shape shape = pick_shape(r, 1, 4);
           const int axis = static_cast<int>(pick(r, 0, shape.rank() - 1));
           std::vector<SampleInput> inputs;
           for (int64_t i = pick(r, 1, 4); i > 0; --i) {
             shape.set(axis, pick(r, 0, 3));
             inputs.push_back({{dtype, shape}, normal});
           }
           return Sample{{}, Concat{axis}, inputs};
         }));
  append(samples, repeat("slice", shapes_per_op, [&](Random& r) {
           const Shape x = pick_shape(r, 1, 4);
           const int axis = static_cast<int>(pick(r, 0, x.rank() - 1));
           const int64_t begin = pick(r, 0, x[axis]), end = pick(r, begin, x[axis]);
           return Sample{{}, Slice{axis, begin, end}, {{{dtype, x}, normal}}};
         }));
  append(samples, repeat("cast", shapes_per_op, [&](Random& r) {
           const DType to = r.below(2) == 0 ? DType::f32 : DType::f64;
           return Sample{{}, Cast{to}, {{{dtype, pick_shape(r, 0, 4)}, normal}}};
         }));
  return samples;
}

std::vector<Sample> flips(DType dtype) {
  return repeat("flip", shapes_per_op, [&](Random& r) {
    const Shape x = pick_shape(r, 0, 5);
    std::vector<int> axes;
    for (int i = 0; i < x.rank(); ++i) {
      if (r.below(2) == 0) axes.push_back(i);
    }
    return Sample{{}, Flip{axes}, {{{dtype, x}, normal}}};
  });
}

std::vector<Sample> rolls(DType dtype) {
  return repeat("roll", shapes_per_op, [&](Random& r) {
    const Shape x = pick_shape(r, 1, 5);
    const int axis = static_cast<int>(pick(r, 0, x.rank() - 1));
    return Sample{{}, Roll{axis, pick(r, -9, 9)}, {{{dtype, x}, normal}}};
  });
}

std::vector<Sample> detection_heads(DType dtype) {
  return repeat("detection_head", shapes_per_op, [&](Random& r) {
    const int64_t n = pick_batch(r), first = pick(r, 0, 4), second = pick(r, 1, 3);
    const int64_t anchors = first + second;
    DetectionHead op{.kind = static_cast<DetectionKind>(r.below(3)), .levels = {first, second}};
    op.height = op.width = 64;
    std::vector<SampleInput> inputs{{{dtype, {n, pick(r, 1, 4), anchors}}, normal},
                                    {{dtype, {n, 4, anchors}}, normal}};
    if (op.kind == DetectionKind::fcos) inputs.push_back({{dtype, {n, 1, anchors}}, normal});
    inputs.push_back({{dtype, {4, anchors}}, normal, true});
    return Sample{{}, op, inputs};
  });
}

std::vector<Worked> worked_detection_heads() {
  const auto head = [](const Tensors& in) {
    return Tensors{
        detection_head({.kind = DetectionKind::fcos, .levels = {2}}, in[0], in[1], in[2], in[3])};
  };
  return {{head,
           {{{1, 1, 2}, {1, 2}},
            {{1, 4, 2}, {3, 4, 5, 6, 7, 8, 9, 10}},
            {{1, 1, 2}, {11, 12}},
            {{4, 2}, {0, 0, 0, 0, 1, 1, 1, 1}}},
           {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}};
}

std::vector<Refused> refused_detection_heads() {
  const auto head = [](const Tensors& in) {
    return Tensors{detection_head({.levels = {2}}, in[0], in[1], {}, in[2])};
  };
  return {{head,
           {{DType::f32, {1, 3, 2}}, {DType::f32, {1, 4, 3}}, {DType::f32, {4, 2}}},
           "detection_head: logits [N, K, A], boxes [N, 4, A] and anchors [4, A] are expected\n"
           "  found   f32[1, 3, 2]\n"
           "  found   f32[1, 4, 3]\n"
           "  found   f32[4, 2]"},
          {head,
           {{DType::f32, {1, 3, 5}}, {DType::f32, {1, 4, 5}}, {DType::f32, {4, 5}}},
           "detection_head: the levels do not have as many anchors as there are\n"
           "  levels  2\n"
           "  anchors 5"}};
}

Function rolled(int64_t shift, int axis) {
  return [=](const Tensors& in) { return Tensors{roll(in[0], shift, axis)}; };
}

std::vector<Worked> worked_rolls() {
  const Data x{{2, 3}, {1, 2, 3, 4, 5, 6}};
  return {{rolled(1, 0), {x}, {4, 5, 6, 1, 2, 3}},
          {rolled(1, -1), {x}, {3, 1, 2, 6, 4, 5}},
          {rolled(-4, 1), {x}, {2, 3, 1, 5, 6, 4}}};
}

std::vector<Refused> refused_rolls() {
  return {{rolled(1, 2),
           {{DType::f32, {2, 3}}},
           "roll: there is no axis 2; the input has 2 axes\n"
           "  input   f32[2, 3]"}};
}

Function flipped(const std::vector<int>& axes) {
  return [axes](const Tensors& in) { return Tensors{flip(in[0], axes)}; };
}

std::vector<Worked> worked_flips() {
  const Data x{{2, 3}, {1, 2, 3, 4, 5, 6}};
  return {{flipped({1}), {x}, {3, 2, 1, 6, 5, 4}}, {flipped({-1, 0}), {x}, {6, 5, 4, 3, 2, 1}}};
}

std::vector<Refused> refused_flips() {
  return {{flipped({2}),
           {{DType::f32, {2, 3}}},
           "flip: there is no axis 2; the input has 2 axes\n"
           "  input   f32[2, 3]"}};
}

}  // namespace

const std::vector<Family>& families() {
  // Products and sums of their inputs have central differences without truncation error.
  static const std::vector<Family> all = [] {
    std::vector<Family> rows{
        {"conv", convolutions, 1e-8},
        {"linear", linears, 1e-8},
        {"matmul", matmuls, 1e-8},
        {"activation", activations, 1e-6, worked_activations(), refused_activations()},
        {"arithmetic", arithmetic, 1e-7, worked_arithmetic()},
        {"reduction", reductions, 1e-8, worked_reductions()},
        {"pool", pools, 1e-8},
        {"norm", norms, 1e-6, worked_folds()},
        {"loss", losses, 1e-7},
        {"dropout", dropouts, 1e-8},
        {"shape", shape_ops, 1e-8},
        {"roll", rolls, 1e-8, worked_rolls(), refused_rolls()},
        {"flip", flips, 1e-8, worked_flips(), refused_flips()},
        {"detection_head", detection_heads, 1e-8, worked_detection_heads(),
         refused_detection_heads()},
    };
    for (Family& family : image_families()) rows.push_back(std::move(family));
    return rows;
  }();
  return all;
}

}  // namespace fovea::harness
