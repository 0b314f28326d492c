#include "fovea/optim/lookahead.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/optim/average.h"

namespace fovea::optim {
namespace {

std::string slow_name(const std::string& name) { return "slow:" + name; }

}  // namespace

void Lookahead::declare(State& state, bool fill) const { declare_copies(state, "slow", fill); }

void Lookahead::synchronize(State& state, double decay) {
  if (!(decay >= 0 && decay <= 1)) {
    throw Error(ErrorKind::usage,
                fmt::format("lookahead: the decay is {}; a number from 0 to 1 is expected",
                            format_number(decay)));
  }
  const auto arrays = weights_and_statistics(state);
  const Program& program = programs_.get(arrays, [&] {
    const auto graph = Graph::make(Mode::train, DType::f32, "lookahead");
    const Tensor moved = graph->input("moved", {DType::f64, {}});
    for (const auto& [name, type] : arrays) {
      if (!state.contains(slow_name(name))) {
        throw Error(ErrorKind::usage,
                    fmt::format("lookahead: the slow copy of \"{}\" is not declared", name))
            .with("try", "lookahead.declare(state) once, after nn::declare(state, model, seed)");
      }
      const Tensor fast = graph->read(name, type), slow = graph->read(slow_name(name), type);
      const Tensor next = slow + cast(moved, type.dtype) * (fast - slow);
      graph->update(slow_name(name), next);
      graph->update(name, next);
    }
    return Program(*graph, {.passes = {.fuse_elementwise = true, .observe = nullptr}});
  });
  program.run(memory_, state, {{"moved", Array::full(DType::f64, {}, 1 - decay)}});
}

}  // namespace fovea::optim
