#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/files.h"
#include "predict.h"

namespace fovea::cli {

int64_t PredictFlags::classes_shown() const {
  return csv.empty() || command.given("--top") ? top : 1;
}

std::unique_ptr<Predictor> PredictFlags::load(Console& console) const {
  std::unique_ptr<Predictor> predictor = load_predictor(*this, console);
  if (!tta.empty()) predictor->use(TestViews::parse(tta));
  of_task.apply(*predictor);
  return predictor;
}

PredictReport::PredictReport(const PredictFlags& flags, std::string noun, Console& console,
                             const std::vector<std::string>& images)
    : csv_(flags.csv), noun_(std::move(noun)), console_(console) {
  if (!flags.coco.empty()) coco_.emplace(flags.coco, flags.annotations, images);
}

void PredictReport::add(const std::string& name, const tasks::Prediction& prediction,
                        const std::vector<std::string>& pictures) {
  if (coco_) coco_->add(name, prediction);  // of a model without boxes: before anything is said
  if (csv_.empty()) {
    std::string text = visible(name) + "\n" + prediction.text();
    for (const std::string& file : pictures) text += "  " + visible(file) + "\n";
    console_.result(text);
  }
  if (!csv_.empty()) rows_.add(name, prediction.cells());
  Json entry = prediction.json();
  entry["path"] = name;
  if (!pictures.empty()) entry["pictures"] = pictures;
  list_.push_back(std::move(entry));
}

void PredictReport::add(const std::string& name, Error error) {
  if (!error.headline().starts_with(name)) error.with(noun_, name);
  Json entry{{"path", name}};
  entry.update(cli::to_json(error));
  list_.push_back(std::move(entry));
  console_.complaint(error);
  code_ = std::max(code_, error.exit_code());
}

int PredictReport::finish() {
  if (!csv_.empty()) {
    rows_.write(csv_);
    console_.result(fmt::format("{}: {} predictions\n", csv_, grouped(rows_.count())));
  }
  if (coco_) coco_->write();
  console_.document({{"predictions", list_}});
  return code_;
}

}  // namespace fovea::cli
