#include "fovea/runtime/memory.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>

#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/loss.h"
#include "fovea/runtime/program_cache.h"
#include "runtime/allocations.h"

namespace fovea::runtime_test {
namespace {

/// A model's training step or inference, compiled.
struct Compiled {
  std::unique_ptr<nn::Module> model;
  State state;
  Memory memory;
  std::unique_ptr<Program> program;
  std::vector<std::pair<std::string, Array>> data;

  Compiled(const std::string& name, Mode mode, int64_t batch, const Shape& image = {3, 32, 32},
           bool recompute = false)
      : model(models::make(name, {.input = image})) {
    const auto graph = nn::trace(*model, Shape{batch}.concat(image), mode);
    data = {{"input", Array::full(DType::f32, Shape{batch}.concat(image), 0.5)}};
    if (mode == Mode::train) {
      const Tensor labels = graph->input("labels", {DType::i64, {batch}});
      const Tensor y = graph->output("output");
      graph->output("loss", y.shape().rank() == 2 ? cross_entropy(y, labels) : mean(y * y));
      data.emplace_back("labels", Array::zeros(DType::i64, {batch}));
      data.emplace_back("random", Array::zeros(DType::i64, {2}));
    }
    program = std::make_unique<Program>(
        *graph, CompileOptions{
                    .passes = {.loss = mode == Mode::train ? "loss" : "", .recompute = recompute}});
    nn::declare(state, *model, 1);
    for (const auto& [update, id] : program->graph().updates())
      state.declare(update, program->graph().value(id).type,
                    update.starts_with("grad:") ? Role::gradient : Role::buffer);
  }
  void run() {
    Inputs inputs;
    for (const auto& [name, array] : data) inputs.emplace_back(name, array);
    (void)program->run(memory, state, inputs);
  }
};

int reorders(const Program& program) {
  int count = 0;
  for (const StepInfo& step : program.steps()) count += step.op == "reorder";
  return count;
}

/// With the smallest image, among a few, that the net can take.
std::unique_ptr<Compiled> small(const models::Entry& entry, Mode mode) {
  Shape image = entry.input;
  for (const int64_t side : {32, 64, 96}) {
    for (int axis = 1; axis < image.rank(); ++axis) image.set(axis, side);
    try {
      return std::make_unique<Compiled>(entry.name, mode, 2, image);
    } catch (const Error&) {
      // too small
    }
  }
  return std::make_unique<Compiled>(entry.name, mode, 2, entry.input);
}

TEST(Arena, OfEveryNetIsNearItsLowerBound) {
  for (const models::Entry& entry : models::list()) {
    for (const Mode mode : {Mode::train, Mode::eval}) {
      const ArenaInfo arena = small(entry, mode)->program->arena();
      EXPECT_LE(static_cast<double>(arena.bytes), 1.05 * static_cast<double>(arena.lower_bound))
          << entry.name << (mode == Mode::train ? ", training" : ", inference");
    }
  }
}

TEST(Arena, OfTrainingIsSmallerWithRecompute) {
  for (const char* name : {"resnet18_cifar", "mobilenet_v2", "densenet121", "convnext_tiny"}) {
    const Compiled kept(name, Mode::train, 16), again(name, Mode::train, 16, {3, 32, 32}, true);
    EXPECT_LT(static_cast<double>(again.program->arena().bytes),
              0.75 * static_cast<double>(kept.program->arena().bytes))
        << name;
  }
}

/// Inference of 1x1 convolutions whose weights are all 1 / 64, of images of 64 channels.
struct Averages {
  static constexpr int64_t channels = 64;
  std::shared_ptr<Graph> graph = Graph::make(Mode::eval, DType::f32);
  State state;
  Memory memory;
  Type image{DType::f32, {1, channels, 14, 14}};
  Tensor x = graph->input("x", image);

  Tensor average(const Tensor& of) {
    const std::string name = "w" + std::to_string(state.names(Role::parameter).size());
    const Type type{DType::f32, {channels, channels, 1, 1}};
    state.declare(name, type, Role::parameter);
    state.set(name, Array::full(DType::f32, type.shape, 1.0 / channels));
    return conv2d(of, graph->read(name, type));
  }
  /// The one value of y where x is 1; and how many images the arena holds, with all else.
  std::pair<double, double> run(const Tensor& y) {
    graph->output("y", y);
    const Program program(*graph);
    const auto out = program.run(memory, state, {{"x", Array::full(DType::f32, image.shape, 1)}});
    for (int64_t i = 0; i < out[0].numel(); ++i) EXPECT_EQ(out[0].at(i), out[0].at(0)) << i;
    return {out[0].at(0),
            static_cast<double>(program.arena().bytes) / static_cast<double>(image.bytes())};
  }
};

// A block of a residual net holds two images; it would hold a third one, twice the bytes to write.
TEST(Arena, ASumTakesThePlaceOfItsResidual) {
  Averages net;
  const Tensor h = relu(net.average(net.x));
  const auto [value, images] = net.run(relu(net.average(relu(net.average(h))) + h));
  EXPECT_EQ(value, 2);
  EXPECT_LT(images, 2.5);
}

// All channels are read for each channel of the result.
TEST(Arena, ASumDoesNotTakeThePlaceOfWhatItsConvolutionReads) {
  Averages net;
  const Tensor h = relu(net.average(net.x));
  EXPECT_EQ(net.run(relu(net.average(h) + h)).first, 2);
}

TEST(Programs, OfResNetAreOneIslandOfTheirLayout) {
  // Each reorder more is a pass over memory: one to leave the island, in training one to come back;
  // if images are not plain either, one to enter it.
  const int enter = preferred_layout({DType::f32, {2, 3, 32, 32}}) == Layout::plain ? 0 : 1;
  EXPECT_LE(reorders(*Compiled("resnet18_cifar", Mode::eval, 2).program), enter + 1);
  EXPECT_LE(reorders(*Compiled("resnet18_cifar", Mode::train, 2).program), enter + 2);
}

TEST(Run, AllocatesNothingLarge) {
  if (!allocations_are_counted()) GTEST_SKIP() << "a sanitizer has the allocator";
  {
    const LargeAllocations allocations;
    std::vector<char>(5000).swap(*std::make_unique<std::vector<char>>());
    ASSERT_GT(allocations.count(), 0);  // the counter counts
  }
  if (preferred_layout({DType::f32, {2, 16, 32, 32}}) != Layout::blocked16)
    GTEST_SKIP() << "without AVX-512, oneDNN's matrix products allocate by themselves";
  for (const char* name : {"small_cnn", "resnet18_cifar"}) {
    for (Mode mode : {Mode::train, Mode::eval}) {
      Compiled compiled(name, mode, 4);
      for (int i = 0; i < 2; ++i) compiled.run();
      const LargeAllocations allocations;
      for (int i = 0; i < 3; ++i) compiled.run();
      EXPECT_EQ(allocations.count(), 0) << name << (mode == Mode::train ? ", train" : ", eval")
                                        << ": up to " << allocations.largest() << " bytes";
    }
  }
}

/// The resident bytes of this process.
int64_t resident() {
  int64_t pages = 0, all = 0;
  std::ifstream("/proc/self/statm") >> all >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

TEST(Memory, StaysFlatOverManyInputShapes) {
  const auto model = models::make("deeper_cnn");
  State state;
  nn::declare(state, *model, 1);
  Memory memory;
  ProgramCache<int64_t> cache;
  const auto run = [&](int64_t side) {
    const Program& program = cache.get(side, [&] {
      return Program(*nn::trace(*model, {1, 3, side, side}));
    });
    (void)program.run(memory, state, {{"input", Array::full(DType::f32, {1, 3, side, side}, 1)}});
  };
  run(64);
  const size_t largest = memory.arena_bytes();
  for (int64_t side = 64; side > 14; --side) run(side);
  const size_t arena = memory.arena_bytes();
  EXPECT_LE(arena, largest * 3 / 2);  // smaller images may have kernels that need more scratch
  const int64_t before = resident();
  for (int64_t side = 64; side > 14; --side) run(side);  // none is in the cache any more
  EXPECT_EQ(memory.arena_bytes(), arena);
  if (!allocations_are_counted()) return;    // a sanitizer keeps freed memory, to find its use
  EXPECT_LT(resident() - before, 16 << 20);  // the weights of a Program are 1.6 MB
}

TEST(Memory, GrowsToTheLargestArena) {
  Memory memory;
  EXPECT_EQ(memory.arena_bytes(), 0u);
  std::byte* small = memory.arena(100);
  EXPECT_EQ(memory.arena(50), small);
  EXPECT_EQ(memory.arena_bytes(), 100u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.arena(5000)) % 64, 0u);
  EXPECT_EQ(memory.arena_bytes(), 5000u);
}

}  // namespace
}  // namespace fovea::runtime_test
