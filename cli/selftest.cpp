#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "commands.h"
#include "textbook.h"

namespace fovea::cli {
namespace {

/// Whether two answers agree, each number within `tolerance`.
bool agree(const Json& expected, const Json& got, double tolerance) {
  if (expected.is_number() && got.is_number()) {
    return std::abs(expected.get<double>() - got.get<double>()) <= tolerance;
  }
  if (expected.is_array() && got.is_array()) {
    return std::ranges::equal(expected, got,
                              [&](const Json& e, const Json& g) { return agree(e, g, tolerance); });
  }
  if (expected.is_object() && got.is_object()) {
    return std::ranges::equal(expected.members(), got.members(), [&](const auto& e, const auto& g) {
      return e.first == g.first && agree(e.second, g.second, tolerance);
    });
  }
  return expected == got;
}

/// The engine's answer, or its error message.
Json answer(const Example& example) {
  try {
    return example.compute();
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

int check_examples(const std::vector<Example>& examples, Console& console) {
  Json list = Json::array();
  size_t right = 0;
  for (const Example& example : examples) {
    const Json got = answer(example);
    const bool ok = agree(example.expected, got, example.tolerance);
    right += ok;
    list.push_back({{"id", example.id},
                    {"title", example.title},
                    {"expected", example.expected},
                    {"got", got},
                    {"ok", ok},
                    {"note", example.note}});
    console.result(fmt::format("{:<4} {}  {}\n", example.id, ok ? console.green("ok") : "DIFFERS",
                               example.title));
    if (!ok) {
      console.result(fmt::format("       expected  {}\n       got       {}\n",
                                 example.expected.dump(), got.dump()));
    }
    if (!example.note.empty()) console.result(fmt::format("         {}\n", example.note));
  }
  console.document({{"examples", list}});
  console.result(fmt::format("{} of {} examples agree\n", right, list.size()));
  return right == list.size() ? 0 : 1;
}

void add_selftest(Commands& commands) {
  commands.add(
      commands.root(), "selftest", "Compute the textbook's examples and compare the answers",
      [](Console& console) {
        std::vector<Example> examples;
        for (const auto& section : {convolution_examples, pooling_examples, function_examples,
                                    block_examples, receptive_field_examples, schedule_examples}) {
          for (Example& example : section()) examples.push_back(std::move(example));
        }
        return check_examples(examples, console);
      });
}

}  // namespace fovea::cli
