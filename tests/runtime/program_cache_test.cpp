#include "fovea/runtime/program_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "fovea/core/error.h"
#include "fovea/ops/arithmetic.h"

namespace fovea {
namespace {

TEST(ProgramCache, HoldsTheLatestKeys) {
  ProgramCache<int64_t> cache(3);
  std::vector<int64_t> compiled;
  const auto get = [&](int64_t n) {
    const Program& program = cache.get(n, [&] {
      compiled.push_back(n);
      const auto graph = Graph::make(Mode::eval);
      graph->output("y", graph->input("x", {DType::f32, {n}}) * 2.0);
      return Program(*graph);
    });
    EXPECT_EQ(program.graph().value(program.graph().outputs()[0].second).type.dim(0), n);
  };
  for (int64_t n : {1, 2, 3, 1, 4, 1, 3, 2}) get(n);
  EXPECT_EQ(compiled, (std::vector<int64_t>{1, 2, 3, 4, 2}));
}

TEST(ProgramCache, AFailedCompilationLeavesItAsItWas) {
  ProgramCache<int64_t> cache(2);
  const auto fail = []() -> Program { throw Error(ErrorKind::usage, "no"); };
  EXPECT_THROW((void)cache.get(1, fail), Error);
  EXPECT_THROW((void)cache.get(1, fail), Error);
}

}  // namespace
}  // namespace fovea
