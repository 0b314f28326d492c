#include <algorithm>
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
    limit_instruction_set();
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

double price_of(const KernelRule& rule, const Problem& problem) {
  return rule.price ? rule.price(problem) : nominal_seconds(problem);
}

/// The rules for a problem, cheapest first.
std::vector<const KernelRule*> by_price(const Problem& problem) {
  std::vector<std::pair<double, const KernelRule*>> priced;
  for (const KernelRule& rule : kernel_rules(problem.op))
    priced.emplace_back(price_of(rule, problem), &rule);
  std::ranges::stable_sort(priced, {}, [](const auto& entry) { return entry.first; });
  std::vector<const KernelRule*> rules;
  for (const auto& [price, rule] : priced) rules.push_back(rule);
  return rules;
}

}  // namespace

double nominal_seconds(const Problem& problem) {
  double bytes = 0;
  for (const Types* types : {&problem.in, &problem.out}) {
    for (const Type& type : *types) bytes += static_cast<double>(type.bytes());
  }
  return problem.op.flops(problem.in, problem.out) / 100e9 + bytes / 10e9;
}

double reorder_seconds(const Type& type) { return 2 * static_cast<double>(type.bytes()) / 10e9; }

Problem in_layouts(Problem problem, const Layouts& layouts) {
  const auto set = [](Types& types, const std::vector<Layout>& wanted) {
    for (size_t i = 0; i < types.size(); ++i) {
      const Layout layout = i < wanted.size() ? wanted[i] : Layout::plain;
      types[i].layout = fits(types[i], layout) ? layout : Layout::plain;
    }
  };
  set(problem.in, layouts.in);
  set(problem.out, layouts.out);
  return problem;
}

std::vector<PricedLayouts> priced_layouts(const KernelRule& rule, const Problem& problem) {
  std::vector<PricedLayouts> result;
  if (!rule.layouts) return result;
  for (Layouts& layouts : rule.layouts(problem)) {
    const double price = price_of(rule, in_layouts(problem, layouts));
    result.push_back({std::move(layouts), price});
  }
  return result;
}

std::vector<PricedLayouts> priced_layouts(const Problem& problem) {
  std::vector<PricedLayouts> result;
  for (const KernelRule& rule : kernel_rules(problem.op)) {
    for (PricedLayouts& layouts : priced_layouts(rule, problem))
      result.push_back(std::move(layouts));
  }
  return result;
}

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
  for (const KernelRule* rule : by_price(problem)) {
    Offer offer = rule->make(problem);
    if (auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&offer)) {
      choice.name = rule->name;
      choice.kernel = std::move(*kernel);
      return choice;
    }
    choice.refused.emplace_back(rule->name, std::get<Refusal>(offer).why);
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
