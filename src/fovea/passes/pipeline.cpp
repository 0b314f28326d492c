#include "fovea/passes/pipeline.h"

#include <chrono>

#include "fovea/graph/verify.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/kernel.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/fold_batchnorm.h"
#include "fovea/passes/fold_scale.h"
#include "fovea/passes/fuse.h"
#include "fovea/passes/fuse_activation.h"
#include "fovea/passes/fuse_depthwise.h"
#include "fovea/passes/fuse_elementwise.h"
#include "fovea/passes/fuse_norm_conv.h"
#include "fovea/passes/fuse_products.h"
#include "fovea/passes/layout.h"
#include "fovea/passes/precision.h"
#include "fovea/passes/recompute.h"
#include "fovea/passes/simplify.h"

namespace fovea {

std::shared_ptr<Graph> run_passes(const Graph& traced, const PipelineOptions& options) {
  verify(traced);
  std::shared_ptr<const Graph> current(&traced, [](const Graph*) {});
  const auto pass = [&](std::string_view name,
                        const std::function<std::shared_ptr<Graph>(const Graph&)>& run) {
    const auto start = std::chrono::steady_clock::now();
    const std::shared_ptr<const Graph> next = run(*current);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    verify(*next, name);
    if (options.observe) options.observe(name, *current, *next, seconds.count());
    current = next;
  };
  const bool gradients = !options.loss.empty();
  const auto narrow = [&] {
    if (options.precision == accumulate_dtype(options.precision)) return;
    pass("precision", [&](const Graph& g) { return narrow_precision(g, options.precision); });
  };

  // What passes decide may change bits.
  const int threads = deterministic() ? 1 : options.threads;
  pass("simplify", simplify);
  if (options.precision != DType::f16) pass("fold_scale", fold_scale);  // products may underflow
  if (gradients) {
    pass("fuse_norm", fuse_norm);
    pass("fold_batchnorm", [](const Graph& g) { return fold_batchnorm(g, true); });
    pass("fuse_epilogue", [](const Graph& g) { return fuse_epilogue(g, Part::frozen); });
    narrow();
    pass("autodiff", [&](const Graph& g) {
      return autodiff(g, options.loss,
                      {.accumulate = options.accumulate, .scale_loss = options.scale_loss});
    });
    pass("simplify", simplify);
    pass("fuse_activation", fuse_activation);
    pass("fuse_products", fuse_products);
  } else {
    if (traced.mode() == Mode::train) pass("fuse_norm", fuse_norm);
    pass("fold_batchnorm", [](const Graph& g) { return fold_batchnorm(g); });
    pass("fuse_epilogue", [](const Graph& g) { return fuse_epilogue(g); });
    narrow();
    pass("fuse_depthwise", [&](const Graph& g) { return fuse_depthwise(g, threads); });
  }
  if (options.fuse_elementwise) {
    pass("fuse_elementwise", fuse_elementwise);
    pass("simplify", simplify);
  }
  pass("layout", [&](const Graph& g) {
    return assign_layouts(
        g, preferred_layout, [](const Problem& p) { return priced_layouts(p); }, threads);
  });
  if (gradients) {
    pass("recompute",
         [&](const Graph& g) { return recompute(g, {.segments = options.recompute}); });
    pass("fuse_norm_conv", [&](const Graph& g) { return fuse_norm_conv(g, threads); });
  }
  return std::const_pointer_cast<Graph>(current);
}

}  // namespace fovea
