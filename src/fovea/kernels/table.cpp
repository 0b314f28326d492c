#include <map>
#include <utility>

#include "fovea/kernels/kernel.h"
#include "fovea/kernels/rules.h"

namespace fovea {
namespace {

using Table = std::map<std::string, std::vector<KernelRule>, std::less<>>;

Table& table() {
  static Table rules = [] {
    Table t;
    const RuleSink add = [&t](std::string_view op, KernelRule rule) {
      t[std::string(op)].push_back(std::move(rule));
    };
    add_onednn_rules(add);
    add_simd_rules(add);
    return t;
  }();
  return rules;
}

}  // namespace

std::string describe(const Problem& problem) {
  std::string text{problem.op.name()};
  if (const std::string attributes = problem.op.attributes(); !attributes.empty())
    text += " " + attributes;
  std::string separator = " ";
  for (const Type& type : problem.in) text += std::exchange(separator, ", ") + to_string(type);
  separator = " -> ";
  for (const Type& type : problem.out) text += std::exchange(separator, ", ") + to_string(type);
  return text;
}

std::span<const KernelRule> kernel_rules(std::string_view op) {
  const auto found = table().find(op);
  return found == table().end() ? std::span<const KernelRule>{} : found->second;
}

void add_kernel_rule(std::string_view op, KernelRule rule) {
  std::vector<KernelRule>& rules = table()[std::string(op)];
  rules.insert(rules.begin(), std::move(rule));
}

Choice choose_kernel(const Problem& problem) {
  Choice choice;
  for (const KernelRule& rule : kernel_rules(problem.op.name())) {
    Offer offer = rule.make(problem);
    if (auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&offer)) {
      choice.name = rule.name;
      choice.kernel = std::move(*kernel);
      return choice;
    }
    choice.refused.emplace_back(rule.name, std::get<Refusal>(offer).why);
  }
  choice.name = "reference";
  choice.kernel = make_reference_kernel(problem);
  return choice;
}

}  // namespace fovea
