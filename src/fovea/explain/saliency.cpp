#include "fovea/explain/builtin.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/passes/autodiff.h"

// Gradients with respect to the input, all of a batch in one graph.

namespace fovea::explain {
namespace {

bool is_rectifier(const Op& op) {
  const auto* unary = op.as<Unary>();
  return unary != nullptr && (unary->kind == UnaryKind::relu || unary->kind == UnaryKind::relu6);
}

/// Guided backpropagation: rectifiers pass positive gradients only.
GradientRules guided() {
  GradientRules rules;
  rules.replace<Unary>([](const Node& node, const Tensors& dy) {
    return node.op.gradient(node, is_rectifier(node.op) ? Tensors{relu(dy[0])} : dy);
  });
  return rules;
}

void require_rectifiers(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (is_rectifier(node.op)) return;
  }
  throw Error(ErrorKind::usage, "guided-backprop: " + graph.title() + " has no relu to guide")
      .with("try", "--method gradient, smoothgrad or integrated-gradients");
}

using Values = Tensor (*)(const Tensor& x, const Tensor& g);

Method of_gradient(const Choice& choice, Channels channels, Values values, bool guide = false) {
  return {.choice = choice,
          .family = Family::saliency,
          .compute =
              [name = choice.name, values, guide](Explainer& explainer, Batch& batch,
                                                  const Arguments&) {
                const std::vector<Array> results =
                    explainer.run(name, inputs_of(batch), [&](const Explainer::Given& given) {
                      const Tensor &x = given.at("input"), output = explainer.apply(x);
                      if (guide) require_rectifiers(x.graph());
                      const Tensor g = gradients(sum(scores(output, given)), {x}, {},
                                                 guide ? guided() : GradientRules{})[0];
                      return Tensors{values(x, g ? g : x * 0.0), output};
                    });
                choose_classes(batch, results[1]);
                return results[0];
              },
          .channels = channels};
}

Tensor gradient(const Tensor&, const Tensor& g) { return g; }
Tensor gradient_times_input(const Tensor& x, const Tensor& g) { return g * x; }

}  // namespace

std::vector<Method> gradient_saliencies() {
  return {
      of_gradient({.name = "gradient", .help = "the slope of the output"}, Channels::largest,
                  gradient),
      of_gradient({.name = "gradient-x-input", .help = "the slope times the input"}, Channels::sum,
                  gradient_times_input),
      of_gradient({.name = "guided-backprop", .help = "the slope; relus pass positive slopes only"},
                  Channels::largest, gradient, true),
  };
}

}  // namespace fovea::explain
