#include <unordered_map>

#include "fovea/kernels/converted.h"
#include "fovea/kernels/kernel.h"
#include "fovea/kernels/rules.h"
#include "fovea/ops/problem.h"

namespace fovea {
namespace {

using Table = std::unordered_map<std::type_index, std::vector<KernelRule>>;

Table& table() {
  static Table rules = [] {
    Table t;
    const RuleSink add = [&t](std::type_index op, KernelRule rule) {
      t[op].push_back(std::move(rule));
    };
    add_winograd_rules(add);
    add_onednn_rules(add);
    add_simd_rules(add);
    return t;
  }();
  return rules;
}

}  // namespace

std::string describe(const Problem& problem) {
  return problem_text(problem.op, problem.in, problem.out);
}

std::span<const KernelRule> kernel_rules(const Op& op) {
  const auto found = table().find(op.type());
  return found == table().end() ? std::span<const KernelRule>{} : found->second;
}

void add_kernel_rule(std::type_index op, KernelRule rule) {
  std::vector<KernelRule>& rules = table()[op];
  rules.insert(rules.begin(), std::move(rule));
}

KernelChoice choose_kernel(const Problem& problem) {
  KernelChoice choice;
  for (const KernelRule& rule : kernel_rules(problem.op)) {
    Offer offer = rule.make(problem);
    if (auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&offer)) {
      choice.name = rule.name;
      choice.kernel = std::move(*kernel);
      return choice;
    }
    choice.refused.emplace_back(rule.name, std::get<Refusal>(offer).why);
  }
  if (std::optional<KernelChoice> other = widened(problem)) {
    choice.name = std::move(other->name);
    choice.kernel = std::move(other->kernel);
    return choice;
  }
  choice.name = "reference";
  choice.kernel = make_reference_kernel(problem);
  return choice;
}

}  // namespace fovea
