#include "live_curves.h"

#include <algorithm>

#include "fovea/draw/terminal_chart.h"
#include "fovea/records/curves.h"

namespace fovea::cli {

void LiveCurves::add(const train::Trainer& trainer) {
  constexpr int64_t points = 100;  // per epoch
  const train::Progress& progress = trainer.progress();
  const int64_t batches = trainer.batches();
  if (progress.batch == 1) before_ = 0;
  sum_ += progress.loss_sum - before_;
  before_ = progress.loss_sum;
  samples_ += trainer.batch().size();
  if (progress.batch % std::max<int64_t>(1, batches / points) != 0) return;
  losses_.x.push_back(static_cast<double>(progress.epoch) +
                      static_cast<double>(progress.batch) / static_cast<double>(batches));
  losses_.y.push_back(sum_ / static_cast<double>(samples_));
  sum_ = 0;
  samples_ = 0;
}

const std::string& LiveCurves::text(const train::Trainer& trainer,
                                    const std::optional<DrawingArea>& area) {
  const Clock::time_point now = Clock::now();
  if (now < drawn_ + std::chrono::seconds(1)) return text_;
  drawn_ = now;
  return text_now(trainer, area);
}

const std::string& LiveCurves::text_now(const train::Trainer& trainer,
                                        const std::optional<DrawingArea>& area) {
  constexpr int rows = 6;
  constexpr auto others = 8;  // lines of the terminal that stay free
  text_.clear();
  if (!area || losses_.x.size() < 2) return text_;
  text_ = draw::terminal_chart(
      records::live_curves(trainer.progress().history, trainer.monitored(), losses_),
      area->size.columns - 1, rows, area->colors);
  if (std::ranges::count(text_, '\n') + others > area->size.rows) text_.clear();
  return text_;
}

}  // namespace fovea::cli
