#include "fovea/data/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/timeline.h"

namespace fovea::data {
namespace {

constexpr int max_workers = 256;
constexpr int max_prefetch = 1024;

void check_range(const char* option, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    throw Error(ErrorKind::usage,
                fmt::format("loader: {} is {}, not in {}..{}", option, value, low, high));
  }
}

void copy(const Array& from, std::byte* to) { std::memcpy(to, from.raw(), from.bytes()); }

/// Element `i` of the first axis as an array that nobody else writes to.
Array slot(Array& batch, int64_t i, const Type& type) {
  std::byte* data = batch.raw() + static_cast<size_t>(i) * type.bytes();
  return {type.dtype, type.shape, data, nullptr};
}

/// The type of one input after the steps before resizing; none if images differ in size. Errors:
/// usage when a step does not fit.
std::optional<Type> input_before(const Dataset& dataset, const LoaderOptions& options) {
  if (options.augment.frames() && !options.resize) {
    throw Error(ErrorKind::usage,
                fmt::format("--augment: {} outputs images of any size, but nothing resizes them",
                            options.augment.text()));
  }
  const std::optional<Type> type = dataset.input();
  return type ? output(options.augment.before, *type) : type;
}

}  // namespace

MinimumSize minimum_of(const LoaderOptions& options) {
  if (!options.resize) return {};
  MinimumSize size = options.resize->minimum_size({});
  const auto& steps = options.augment.before;
  for (auto step = steps.rbegin(); step != steps.rend() && size != MinimumSize{}; ++step)
    size = (*step)->minimum_size(size);
  return size;
}

/// Buffers of one size that return when the last handle on their array is gone, even after the
/// loader itself.
class Loader::Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(size_t bytes, size_t spares) : bytes_(bytes) { spares_.reserve(spares); }

  Array array(DType dtype, const Shape& shape) {
    std::shared_ptr<std::byte> buffer = take();
    std::byte* data = buffer.get();
    std::shared_ptr<void> owner(data, [pool = shared_from_this(), buffer](void*) mutable {
      pool->give(std::move(buffer));
    });
    return Array(dtype, shape, data, std::move(owner));
  }

 private:
  std::shared_ptr<std::byte> take() {
    {
      std::lock_guard lock(guard_);
      if (!spares_.empty()) {
        auto buffer = std::move(spares_.back());
        spares_.pop_back();
        return buffer;
      }
    }
    return allocate(bytes_);
  }

  void give(std::shared_ptr<std::byte> buffer) {
    std::lock_guard lock(guard_);
    if (spares_.size() < spares_.capacity()) spares_.push_back(std::move(buffer));
  }

  size_t bytes_;
  std::mutex guard_;
  std::vector<std::shared_ptr<std::byte>> spares_;
};

/// The batches of an epoch: any of them can be made on any thread.
class Loader::Epoch {
 public:
  Epoch(const Loader& loader, int64_t number)
      : loader_(loader),
        dataset_(*loader.dataset_),
        options_(loader.options_),
        number_(static_cast<uint64_t>(number)),
        order_(loader.order_.epoch(number_)) {}

  Batch batch(int64_t index) const {
    const int64_t first = index * options_.batch;
    const int64_t count = std::min(options_.batch, dataset_.size() - first);
    const Type& input = loader_.input_;
    const Type& target = dataset_.targets().type;
    Batch batch{loader_.pool_->array(input.dtype, Shape{count}.concat(input.shape)),
                Array(target.dtype, Shape{count}.concat(target.shape))};
    for (int64_t k = 0; k < count; ++k) {
      load(order_[static_cast<size_t>(first + k)], slot(batch.inputs, k, input),
           slot(batch.targets, k, target));
    }
    return batch;
  }

 private:
  /// Writes sample `i`, transformed, to its place in a batch.
  void load(int64_t i, Array input, Array target) const {
    Sample given = dataset_.scaled_sample(i, loader_.minimum_);
    check("the target", given.target, target);
    copy(given.target, target.raw());
    const Augmentation& augment = options_.augment;
    Sample sample{given.input, target};
    if (!augment.before.empty()) sample.input = given.input.clone();
    transform(augment.before, "augment before resizing", i, sample);
    if (options_.resize) {
      TransformContext unused(options_.seed, "resize", 0, 0, 0);
      (*options_.resize)(sample, unused);
    }
    if (sample.input.bytes() == input.bytes() && sample.input.dtype() == input.dtype()) {
      copy(sample.input, input.raw());  // later steps work in place in the batch
      sample.input = Array(input.dtype(), sample.input.shape(), input.raw(), nullptr);
    } else {
      sample.input = sample.input.clone();
    }
    transform(augment.after, "augment", i, sample);
    if (sample.input.raw() != input.raw()) {
      check("the input", sample.input, input);
      copy(sample.input, input.raw());
    }
    if (sample.target.raw() != target.raw()) {
      check("the target", sample.target, target);
      copy(sample.target, target.raw());
    }
  }

  void transform(const std::vector<std::shared_ptr<const Transform>>& steps,
                 std::string_view purpose, int64_t i, Sample& sample) const {
    if (steps.empty()) return;
    TransformContext context(options_.seed, purpose, static_cast<int64_t>(number_), dataset_.size(),
                             i);
    if (loader_.resized_ && loader_.resized_->rank() == 3) {
      context.height = loader_.resized_->shape[0];
      context.width = loader_.resized_->shape[1];
    }
    for (const auto& step : steps) (*step)(sample, context);
  }

  static void check(std::string_view what, const Array& given, const Array& agreed) {
    if (given.dtype() == agreed.dtype() && given.shape() == agreed.shape()) return;
    throw Error(ErrorKind::internal,
                fmt::format("loader: {} of a sample does not have the expected type", what))
        .with("given", describe(given))
        .with("expected", describe(agreed));
  }

  const Loader& loader_;
  const Dataset& dataset_;
  const LoaderOptions& options_;
  uint64_t number_;
  std::vector<int64_t> order_;
};

/// Threads that make the batches [first, last) of an epoch in turn, at most `ahead` of those taken.
/// Its destructor waits only for batches in progress.
class Loader::Team {
 public:
  Team(const Epoch& epoch, int64_t first, int64_t last, int workers, int64_t ahead)
      : epoch_(epoch), last_(last), claimed_(first), taken_(first) {
    slots_.resize(static_cast<size_t>(ahead));
    const int64_t useful = std::min<int64_t>(workers, last - first);
    try {
      for (int64_t i = 0; i < useful; ++i) {
        threads_.emplace_back([this](std::stop_token stop) { work(stop); });
      }
    } catch (const std::system_error&) {
      // The system starts no more threads: those that started make all batches, or without any the
      // caller does.
    }
  }

  bool empty() const { return threads_.empty(); }

  Batch take() {
    std::unique_lock lock(guard_);
    std::optional<Made>& slot = slot_of(taken_);
    ready_.wait(lock, [&] { return slot.has_value(); });
    Made made = std::move(*slot);
    slot.reset();
    ++taken_;
    lock.unlock();
    room_.notify_one();
    if (made.failure) std::rethrow_exception(made.failure);
    return std::move(*made.batch);
  }

 private:
  struct Made {
    std::optional<Batch> batch;
    std::exception_ptr failure;
  };

  std::optional<Made>& slot_of(int64_t index) {
    return slots_[static_cast<size_t>(index) % slots_.size()];
  }

  /// The next batch to make, once there is room for it; none when all are claimed or on a stop
  /// request.
  std::optional<int64_t> claim(const std::stop_token& stop) {
    std::unique_lock lock(guard_);
    const auto ahead = static_cast<int64_t>(slots_.size());
    room_.wait(lock, stop, [&] { return claimed_ == last_ || claimed_ < taken_ + ahead; });
    if (stop.stop_requested() || claimed_ == last_) return std::nullopt;
    return claimed_++;
  }

  void work(const std::stop_token& stop) {
    SerialScope serial;
    name_thread("loader");
    while (const std::optional<int64_t> index = claim(stop)) {
      Made made;
      try {
        const Span span("load a batch", "data");
        made.batch = epoch_.batch(*index);
      } catch (...) {
        made.failure = std::current_exception();
      }
      {
        std::lock_guard lock(guard_);
        slot_of(*index) = std::move(made);
      }
      ready_.notify_one();
    }
  }

  const Epoch& epoch_;
  const int64_t last_;
  std::mutex guard_;
  std::condition_variable ready_;
  std::condition_variable_any room_;
  int64_t claimed_;
  int64_t taken_;
  std::vector<std::optional<Made>> slots_;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : dataset_(std::move(dataset)),
      options_(std::move(options)),
      order_(dataset_, options_.sampling, options_.seed) {
  check_range("batch", options_.batch, 1, int64_t{1} << 31);
  check_range("workers", options_.workers, 0, max_workers);
  check_range("prefetch", options_.prefetch, 1, max_prefetch);
  minimum_ = minimum_of(options_);
  if (!options_.augment.batch.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("loader: {} mixes batches, which the training step does",
                            options_.augment.batch[0]->text()))
        .with("try", "StepOptions::mixing of the TrainStep");
  }
  const std::optional<Type> before = input_before(*dataset_, options_);
  if (options_.resize) {
    resized_ = options_.resize->output(before.value_or(Type{dataset_->dtype(), {1, 1, 3}}));
  }
  input_ = output(options_.augment.after, resized_ ? *resized_
                                          : before ? *before
                                                   : input_type(*dataset_));
  if (!options_.drop_last)
    options_.batch = std::min(options_.batch, std::max<int64_t>(dataset_->size(), 1));
  const int64_t bytes = checked_product(options_.batch, static_cast<int64_t>(input_.bytes()));
  // One in use by the consumer, the others waiting or in progress.
  const size_t waiting =
      static_cast<size_t>(options_.workers) * static_cast<size_t>(options_.prefetch);
  pool_ = std::make_shared<Pool>(static_cast<size_t>(bytes), waiting + 1);
}

Loader::~Loader() = default;

int64_t Loader::batches() const {
  const int64_t full = dataset_->size() / options_.batch;
  const bool smaller = dataset_->size() % options_.batch > 0;
  return full + (smaller && !options_.drop_last ? 1 : 0);
}

void Loader::start(int64_t epoch, int64_t first_batch) {
  check_range("epoch", epoch, 0, int64_t{1} << 62);
  check_range("first batch", first_batch, 0, batches());
  team_.reset();
  epoch_ = std::make_unique<const Epoch>(*this, epoch);
  position_ = first_batch;
  if (options_.workers > 0) {
    const int64_t ahead = int64_t{options_.workers} * options_.prefetch;
    team_ = std::make_unique<Team>(*epoch_, first_batch, batches(), options_.workers, ahead);
    if (team_->empty()) team_.reset();
  }
}

std::optional<Batch> Loader::next() {
  if (!epoch_) throw Error(ErrorKind::usage, "loader: next() before the first start()");
  if (position_ == batches()) return std::nullopt;
  try {
    Batch batch = team_ ? team_->take() : epoch_->batch(position_);
    ++position_;
    return batch;
  } catch (...) {
    position_ = batches();
    team_.reset();
    throw;
  }
}

}  // namespace fovea::data
