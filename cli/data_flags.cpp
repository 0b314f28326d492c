#include "data_flags.h"

#include "fovea/core/error.h"
#include "fovea/data/registry.h"
#include "fovea/tasks/task.h"

namespace fovea::cli {

void DataFlags::add(Command command) {
  command.text("DATA", data, "Data set: " + data::usage());
  std::vector<std::string> names;
  for (const tasks::Entry& entry : tasks::list()) names.push_back(entry.name);
  command.word("--task", task, "What to learn from it, where its samples have several targets",
               names);
}

data::DataSets DataFlags::open() const {
  if (data.empty())
    throw Error(ErrorKind::usage, "a data set is required").with("data sets", data::usage());
  data::DataSets sets = tasks::sets_for(task, data::open(data));
  if (!task.empty()) (void)tasks::make(task, sets.targets());
  return sets;
}

}  // namespace fovea::cli
