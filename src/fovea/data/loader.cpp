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
#include "fovea/data/frames.h"

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
  std::optional<Type> type = dataset.input();
  if (type) type = output(options.augment.before, *type);
  if (options.augment.frames() && !options.resize) {
    throw Error(ErrorKind::usage,
                fmt::format("--augment: {} outputs images of any size, but nothing resizes them",
                            options.augment.text()))
        .with("try", "transforms that keep the size, such as crop; in C++ LoaderOptions::resize");
  }
  return type;
}

/// The step that chooses which stretch is read; null for none.
const Transform* stretch_of(const Augmentation& augment) {
  for (const auto* steps : {&augment.before, &augment.after}) {
    for (const auto& step : *steps) {
      if (chooses_stretch(*step)) return step.get();
    }
  }
  return nullptr;
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

/// The batches of an epoch: any sample of them can be loaded on any thread.
class Loader::Epoch {
 public:
  Epoch(const Loader& loader, int64_t number)
      : loader_(loader),
        dataset_(*loader.dataset_),
        options_(loader.options_),
        number_(static_cast<uint64_t>(number)),
        order_(loader.order_.epoch(number_)) {}

  int64_t number() const { return static_cast<int64_t>(number_); }

  /// Samples of batch `index`.
  int64_t count(int64_t index) const {
    return std::min(options_.batch, dataset_.size() - index * options_.batch);
  }

  /// Room for batch `index`.
  Batch allocate(int64_t index) const {
    const Type &input = loader_.input_, &target = loader_.target_;
    return {loader_.pool_->array(input.dtype, Shape{count(index)}.concat(input.shape)),
            Array(target.dtype, Shape{count(index)}.concat(target.shape))};
  }

  /// Writes sample `k` of batch `index` to its place in `batch`.
  void load(int64_t index, int64_t k, Batch& batch) const {
    load(order_[static_cast<size_t>(index * options_.batch + k)],
         slot(batch.inputs, k, loader_.input_), slot(batch.targets, k, loader_.target_));
  }

 private:
  /// Sample `i` as it is read, at the stretch that a step chooses.
  Sample read(int64_t i) const {
    if (loader_.stretch_ == nullptr) return dataset_.scaled_sample(i, loader_.minimum_);
    TransformContext context(options_.seed, "stretch", static_cast<int64_t>(number_),
                             dataset_.size(), i);
    return {dataset_.stretch(i, *loader_.stretch_->stretch(context.random)), dataset_.target(i)};
  }

  /// Writes sample `i`, transformed, to its place in a batch.
  void load(int64_t i, Array input, Array target) const {
    const Sample given = read(i);
    const Augmentation& augment = options_.augment;
    Sample sample{given.input, given.target};
    if (!lies_in_image(loader_.target_)) {  // transforms of the target, if any, work in place
      check("the target", given.target, target);
      copy(given.target, target.raw());
      sample.target = Array(target.dtype(), target.shape(), target.raw(), nullptr);
    }
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
    context.other = [this](Random& random) {
      const auto other = random.below(static_cast<uint64_t>(dataset_.size()));
      return dataset_.scaled_sample(static_cast<int64_t>(other), loader_.minimum_);
    };
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

/// Makes the batches [first, last) of an epoch in turn, at most `ahead` of those taken. All threads
/// load parts of the same batch, so that it is ready soon, and a caller of `take` whose batch is
/// not ready is one of them: no core is idle while there is something to load. Its destructor waits
/// only for parts in progress.
class Loader::Team {
 public:
  Team(const Epoch& epoch, int64_t first, int64_t last, int workers, int64_t ahead)
      : epoch_(epoch), last_(last), batch_(first), taken_(first) {
    slots_.resize(static_cast<size_t>(ahead));
    if (first == last) return;
    try {
      for (int i = 0; i < workers; ++i) {
        threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
      }
    } catch (const std::system_error&) {
      // The system starts no more threads: those that started and the caller make all batches.
    }
  }

  Batch take() {
    const SerialScope serial;
    std::unique_lock lock(guard_);
    while (const std::optional<Part> part = claim(taken_ + 1)) load(*part, lock);
    ready_.wait(lock, [&] { return slot_of(taken_).parts == 0; });
    Slot made = std::exchange(slot_of(taken_), {});
    ++taken_;
    lock.unlock();
    room_.notify_all();
    if (made.failure) std::rethrow_exception(made.failure);
    return std::move(*made.batch);
  }

 private:
  /// Samples [begin, end) of a batch.
  struct Part {
    int64_t batch, begin, end;
  };

  struct Slot {
    std::optional<Batch> batch;
    int64_t parts = 0;           ///< in progress
    std::exception_ptr failure;  ///< of the first sample that failed, in the order of the batch
    int64_t failed = 0;          ///< where its part begins
  };

  Slot& slot_of(int64_t index) { return slots_[static_cast<size_t>(index) % slots_.size()]; }

  bool may_claim(int64_t limit) const { return batch_ < std::min(limit, last_); }

  /// The next part of the batches below `limit` that nobody loads yet, in order.
  std::optional<Part> claim(int64_t limit) {
    if (!may_claim(limit)) return std::nullopt;
    const int64_t count = epoch_.count(batch_),
                  step = (count + parts_per_batch - 1) / parts_per_batch;
    const Part part{batch_, sample_, std::min(sample_ + step, count)};
    ++slot_of(batch_).parts;
    sample_ = part.end;
    if (sample_ == count) claim_no_more_of(batch_);
    return part;
  }

  void claim_no_more_of(int64_t index) {
    if (batch_ != index) return;
    ++batch_;
    sample_ = 0;
  }

  /// `lock` is released meanwhile.
  void load(const Part& part, std::unique_lock<std::mutex>& lock) {
    Slot& slot = slot_of(part.batch);
    std::exception_ptr failure;
    try {
      if (!slot.batch) slot.batch = epoch_.allocate(part.batch);
      lock.unlock();
      const Span span("load samples", "data");
      for (int64_t k = part.begin; k < part.end; ++k) epoch_.load(part.batch, k, *slot.batch);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!lock.owns_lock()) lock.lock();
    if (failure && (!slot.failure || part.begin < slot.failed)) {
      slot.failure = std::move(failure);
      slot.failed = part.begin;
      claim_no_more_of(part.batch);
    }
    if (--slot.parts == 0) ready_.notify_one();
  }

  void work(const std::stop_token& stop) {
    const SerialScope serial;
    name_thread("loader");
    const auto ahead = static_cast<int64_t>(slots_.size());
    std::unique_lock lock(guard_);
    while (true) {
      room_.wait(lock, stop, [&] { return batch_ == last_ || may_claim(taken_ + ahead); });
      if (stop.stop_requested() || batch_ == last_) return;
      load(*claim(taken_ + ahead), lock);
    }
  }

  static constexpr int64_t parts_per_batch = 32;

  const Epoch& epoch_;
  const int64_t last_;
  std::mutex guard_;
  std::condition_variable ready_;
  std::condition_variable_any room_;
  int64_t batch_;  // with sample_: the next sample that nobody loads yet
  int64_t sample_ = 0;
  int64_t taken_;
  std::vector<Slot> slots_;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : dataset_(std::move(dataset)),
      options_(std::move(options)),
      order_(dataset_, options_.sampling, options_.seed) {
  check_range("batch", options_.batch, 1, int64_t{1} << 31);
  check_range("workers", options_.workers, 0, max_workers);
  check_range("prefetch", options_.prefetch, 1, max_prefetch);
  if (const std::optional<Type> own = dataset_->input()) {
    for (auto* steps : {&options_.augment.before, &options_.augment.after})
      *steps = steps_for(*own, std::move(*steps));
  }
  minimum_ = minimum_of(options_);
  stretch_ = stretch_of(options_.augment);
  if (stretch_ != nullptr && !dataset_->has_stretches()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("--augment: {} needs recordings that may be longer than the net's input",
                    stretch_->text()))
        .with("found", dataset_->modality() ? dataset_->modality()->text() : noun_of(*dataset_, 2))
        .with("try", "sound:DIR, clips:DIR, or series with length=N,longer=middle");
  }
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
  const Augmentation& augment = options_.augment;
  target_ = target_type(
      targets_after(augment.after, targets_after(augment.before, dataset_->targets())), input_);
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
  if (team_ && epoch_->number() == epoch && position_ == first_batch) return;  // it is there
  team_.reset();
  epoch_ = std::make_unique<const Epoch>(*this, epoch);
  position_ = first_batch;
  const int64_t ahead = std::max<int64_t>(int64_t{options_.workers} * options_.prefetch, 1);
  team_ = std::make_unique<Team>(*epoch_, first_batch, batches(), options_.workers, ahead);
}

std::optional<Batch> Loader::next() {
  if (!epoch_) throw Error(ErrorKind::usage, "loader: next() before the first start()");
  if (position_ == batches()) return std::nullopt;
  try {
    Batch batch = team_->take();
    ++position_;
    return batch;
  } catch (...) {
    position_ = batches();
    team_.reset();
    throw;
  }
}

}  // namespace fovea::data
