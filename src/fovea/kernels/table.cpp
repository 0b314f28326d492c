#include <algorithm>
#include <limits>
#include <unordered_map>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/converted.h"
#include "fovea/kernels/kernel.h"
#include "fovea/kernels/rules.h"
#include "fovea/kernels/tuning.h"
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
    add_amx_rules(add);
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

/// Runs the kernels that accept a problem, if there are at least `count`, and returns the fastest.
std::optional<Tuning::Fastest> measure(const Problem& problem, size_t count) {
  const TeamScope team(problem.threads);
  std::vector<std::pair<std::string, std::unique_ptr<Kernel>>> candidates;
  for (const KernelRule* rule : by_price(problem)) {
    Offer offer = rule->make(problem);
    if (auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&offer))
      candidates.emplace_back(rule->name, std::move(*kernel));
  }
  if (candidates.size() < count) return std::nullopt;
  constexpr double clearly = 0.97;  // or else the one with the lower price
  std::optional<Tuning::Fastest> fastest;
  for (const auto& [name, kernel] : candidates) {
    const double best = fastest ? fastest->seconds : std::numeric_limits<double>::infinity();
    try {
      const double seconds = measured_seconds(*kernel, problem, best);
      if (seconds < clearly * best) fastest = {name, seconds};
    } catch (const Error&) {
      // It cannot compute these data, so that nothing is known about it.
    }
  }
  return fastest;
}

/// Replaces the prices of layouts by measured times, if all can be told, where there is a choice.
void use_measured_prices(Tuning& tuning, const Problem& problem,
                         std::vector<PricedLayouts>& offers) {
  std::vector<Problem> problems;
  for (const PricedLayouts& offer : offers) problems.push_back(in_layouts(problem, offer.layouts));
  const bool choice = std::ranges::any_of(problems, [&](const Problem& p) {
    return p.in != problems[0].in || p.out != problems[0].out;
  });
  if (!choice) return;
  std::vector<double> seconds;
  for (const Problem& p : problems) {
    const auto fastest = tuning.find(p, [&] { return measure(p, 1); });
    if (!fastest) return;
    seconds.push_back(fastest->seconds);
  }
  for (size_t i = 0; i < offers.size(); ++i) offers[i].seconds = seconds[i];
}

/// Moves the rule of the kernel that was measured to be the fastest to the front. Those that were
/// before it are listed in `refused`.
void prefer_fastest(Tuning& tuning, const Problem& problem, std::vector<const KernelRule*>& rules,
                    KernelChoice& choice) {
  if (rules.size() < 2) return;
  const auto fastest = tuning.find(problem, [&] { return measure(problem, 2); });
  if (!fastest) return;
  const auto rule = std::ranges::find(rules, fastest->kernel, &KernelRule::name);
  if (rule == rules.end()) return;
  for (auto other = rules.begin(); other != rule; ++other)
    choice.refused.emplace_back((*other)->name, "not the fastest here (--tune)");
  std::rotate(rules.begin(), rule, rule + 1);
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
  if (const std::shared_ptr<Tuning> tuned = tuning()) use_measured_prices(*tuned, problem, result);
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
  std::vector<const KernelRule*> rules = by_price(problem);
  if (const std::shared_ptr<Tuning> tuned = tuning())
    prefer_fastest(*tuned, problem, rules, choice);
  for (const KernelRule* rule : rules) {
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
