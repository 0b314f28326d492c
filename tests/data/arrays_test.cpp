#include "fovea/data/arrays.h"

#include "data/helpers.h"
#include "fovea/formats/npy.h"

namespace fovea::data {
namespace {

Array counting(DType dtype, const Shape& shape) {
  Array array(dtype, shape);
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, static_cast<double>(i % 100));
  return array;
}

class Arrays : public testing::Test {
 protected:
  void write(const std::string& x, const Array& xs, const std::string& y, const Array& ys) {
    write_npy(folder_ / x, xs);
    write_npy(folder_ / y, ys);
  }
  std::string error() {
    return error_of([&] { (void)open_arrays(folder_.path()); }).headline();
  }
  TempFolder folder_;
};

TEST_F(Arrays, NumbersAreARegressionOfAnyRank) {
  for (const Shape& one : {Shape{5}, Shape{2, 30}, Shape{1, 6, 7}, Shape{1, 4, 5, 6}}) {
    write("x.npy", counting(DType::f64, Shape{20}.concat(one)), "y.npy",
          counting(DType::f32, {20, 2}));
    const DataSets sets = open_arrays(folder_.path());
    EXPECT_EQ(sets.train->size(), 18);
    EXPECT_EQ(sets.test->size(), 2);
    EXPECT_EQ(sets.train->input(), (Type{DType::f32, one}));
    EXPECT_EQ(sets.targets().type, (Type{DType::f32, {2}}));
    EXPECT_EQ(net_shape(*sets.train->input()), one);
  }
}

TEST_F(Arrays, ImagesAndClassesWithATestSetAndNames) {
  write("x.npy", counting(DType::u8, {6, 4, 4}), "y.npy",
        Array::of(std::vector<int32_t>{0, 1, 2, 0, 1, 2}));
  write("x_test.npy", counting(DType::u8, {2, 4, 4, 1}), "y_test.npy",
        Array::of(std::vector<int64_t>{2, 1}));
  const std::string names = "cat\ndog\r\nemu\n";
  folder_.write("names.txt", Bytes(names.begin(), names.end()));
  const DataSets sets = open_arrays(folder_.path());
  EXPECT_EQ(sets.targets(), class_targets({"cat", "dog", "emu"}));
  EXPECT_EQ(sets.train->input(), (Type{DType::u8, {4, 4, 1}}));
  EXPECT_EQ(sets.train->size(), 6);
  EXPECT_EQ(class_of(*sets.test, 0), 2);
}

TEST_F(Arrays, SplitsOfAnyChannelsByNamesThatBeginWithTheSplit) {
  const auto numbers = [](int64_t count) { return counting(DType::f32, {count, 7, 3, 2, 5}); };
  const auto classes = [](int64_t count, double last) {
    Array y = Array::zeros(DType::i64, {count});
    y.set(count - 1, last);
    return y;
  };
  write("train_x.npy", numbers(6), "train_y.npy", classes(6, 1));
  write("val_x.npy", numbers(3), "val_y.npy", classes(3, 2));
  const DataSets measured_on_val = open_arrays(folder_.path());
  EXPECT_EQ(measured_on_val.val, measured_on_val.test);
  EXPECT_EQ(measured_on_val.val->size(), 3);
  write("test_x.npy", numbers(2), "test_y.npy", classes(2, 4));
  const DataSets sets = open_arrays(folder_.path());
  EXPECT_EQ(sets.train->size(), 6);
  EXPECT_EQ(sets.val->size(), 3);
  EXPECT_EQ(sets.test->size(), 2);
  EXPECT_EQ(sets.targets(), class_targets({"0", "1", "2", "3", "4"}));
  EXPECT_EQ(sets.train->input(), (Type{DType::f32, {7, 3, 2, 5}}));
  write("test_x.npy", counting(DType::f32, {2, 7, 3, 2, 4}), "test_y.npy", classes(2, 4));
  EXPECT_EQ(error(),
            (folder_ / "test_x.npy").string() + ": inputs differ in type from train_x.npy");
}

TEST_F(Arrays, ErrorsSayWhatIsWrongWithAFile) {
  const std::string x = (folder_ / "x.npy").string(), y = (folder_ / "y.npy").string();
  write("x.npy", counting(DType::i64, {3, 4}), "y.npy", counting(DType::i64, {3}));
  EXPECT_EQ(error(),
            x + ": inputs must be images u8 or u16 [N, H, W, C] or numbers f32[N, C, ...]");
  write("x.npy", counting(DType::f32, {3, 4}), "y.npy", counting(DType::i64, {3, 1}));
  EXPECT_EQ(error(), y + ": targets must be classes, integers [N], or numbers f32[N] or f32[N, K]");
  write("x.npy", counting(DType::f32, {3, 4}), "y.npy", Array::full(DType::i64, {3}, -1));
  EXPECT_EQ(error(), y + ": a class must be from 0 to 999999, not -1");
  write("x.npy", counting(DType::f32, {3, 4}), "y.npy", Array::full(DType::f32, {3}, 0.0 / 0.0));
  EXPECT_EQ(error(), y + ": number 0 is not finite");
  write("x.npy", counting(DType::f32, {3, 4}), "y.npy", counting(DType::f32, {4}));
  EXPECT_EQ(error(), y + " does not fit " + x);
  write("x.npy", counting(DType::f32, {4, 4}), "y.npy", counting(DType::f32, {4, 3}));
  folder_.write("names.txt", {'a', '\n', 'b'});
  EXPECT_EQ(error(), (folder_ / "names.txt").string() + " has too few names");
}

}  // namespace
}  // namespace fovea::data
