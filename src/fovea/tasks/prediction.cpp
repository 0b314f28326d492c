#include "fovea/tasks/prediction.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace fovea::tasks {

std::string probability_text(const Numbers& probabilities) {
  constexpr int bar = 20;
  size_t width = 0;
  for (const auto& [name, probability] : probabilities) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, probability] : probabilities) {
    char percent[16];
    std::snprintf(percent, sizeof percent, "%6.2f%%", 100 * probability);
    std::string line = "  " + name + std::string(width - name.size(), ' ') + "  " + percent + "  " +
                       std::string(static_cast<size_t>(std::lround(probability * bar)), '#');
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

Json numbers_json(std::string_view key, std::string_view value, const Numbers& numbers) {
  Json list = Json::array();
  for (const auto& [name, number] : numbers) list.push_back({{"name", name}, {value, number}});
  return {{key, list}};
}

}  // namespace fovea::tasks
