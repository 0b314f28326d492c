// Volumes: NIfTI-1 and .npy files, with classes or labels of voxels.

#include "fovea/data/volumes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/check.h"
#include "fovea/data/nifti.h"
#include "fovea/data/registry.h"
#include "fovea/formats/npy.h"
#include "golden_fill.h"

namespace fovea::data {
namespace {

/// A NIfTI-1 file of the voxels 0, 1, 2, ... of a type.
struct NiftiFile {
  std::vector<int16_t> dim{3, 4, 3, 2};  ///< W, H, D
  int16_t type = 4;                      ///< i16
  float slope = 0, inter = 0, offset = 352;
  bool big = false;
  std::vector<float> pixdim{};                       ///< qfac, then the spacing of i, j and k
  std::vector<float> quaternion{}, rows_of_sform{};  ///< b, c, d; 3 times 4
  std::string magic = std::string("n+1\0", 4);

  template <class T>
  void put(Bytes& bytes, size_t at, T value) const {
    unsigned char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    if (big) std::reverse(std::begin(raw), std::end(raw));
    std::copy(std::begin(raw), std::end(raw), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  template <class T>
  void put_voxels(Bytes& bytes, size_t count) const {
    const size_t begin = bytes.size();
    bytes.resize(begin + count * sizeof(T));
    for (size_t i = 0; i < count; ++i) put(bytes, begin + i * sizeof(T), static_cast<T>(i % 100));
  }

  Bytes bytes() const {
    Bytes file(static_cast<size_t>(offset));
    put<int32_t>(file, 0, 348);
    for (size_t i = 0; i < dim.size(); ++i) put<int16_t>(file, 40 + 2 * i, dim[i]);
    put<int16_t>(file, 70, type);
    put<float>(file, 108, offset);
    put<float>(file, 112, slope);
    put<float>(file, 116, inter);
    const auto put_all = [&](size_t at, const std::vector<float>& values) {
      for (size_t i = 0; i < values.size(); ++i) put(file, at + 4 * i, values[i]);
    };
    put_all(76, pixdim);
    put_all(256, quaternion);
    put_all(280, rows_of_sform);
    put<int16_t>(file, 252, !quaternion.empty());
    put<int16_t>(file, 254, !rows_of_sform.empty());
    std::ranges::copy(magic, file.begin() + 344);
    size_t count = 1;
    for (size_t i = 1; i < dim.size(); ++i) count *= static_cast<size_t>(dim[i]);
    switch (type) {
      case 2:
        put_voxels<uint8_t>(file, count);
        break;
      case 8:
        put_voxels<int32_t>(file, count);
        break;
      case 16:
        put_voxels<float>(file, count);
        break;
      case 64:
        put_voxels<double>(file, count);
        break;
      case 256:
        put_voxels<int8_t>(file, count);
        break;
      case 512:
        put_voxels<uint16_t>(file, count);
        break;
      case 768:
        put_voxels<uint32_t>(file, count);
        break;
      case 1024:
        put_voxels<int64_t>(file, count);
        break;
      case 1280:
        put_voxels<uint64_t>(file, count);
        break;
      default:
        put_voxels<int16_t>(file, count);
    }
    return file;
  }
};

TEST(Nifti, EveryTypeAndByteOrderGivesTheSameNumbers) {
  const TempFolder folder;
  for (const int16_t type : {2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280}) {
    for (const bool big : {false, true}) {
      for (const bool packed : {false, true}) {
        const Bytes file = NiftiFile{.type = type, .big = big}.bytes();
        const Array values =
            read_nifti(folder.write(packed ? "a.nii.gz" : "a.nii", packed ? gzip(file) : file));
        ASSERT_EQ(values.shape(), (Shape{1, 2, 3, 4})) << type;
        for (int64_t i = 0; i < values.numel(); ++i)
          ASSERT_EQ(values.at(i), static_cast<double>(i)) << type << " " << big;
      }
    }
  }
}

TEST(Nifti, NegativeNumbersKeepTheirSign) {
  const TempFolder folder;
  Bytes file = NiftiFile{.dim = {3, 2, 1, 1}}.bytes();
  file[352] = 0xfe;
  file[353] = 0xff;
  EXPECT_EQ(read_nifti(folder.write("a.nii", file)).at(0), -2);
}

TEST(Nifti, SlopeAndIntersectionScaleUnlessTheSlopeIsZero) {
  const TempFolder folder;
  const auto second = [&](float slope, float inter) {
    return read_nifti(folder.write("a.nii", NiftiFile{.slope = slope, .inter = inter}.bytes()))
        .at(1);
  };
  EXPECT_EQ(second(0.5F, 10), 10.5);
  EXPECT_EQ(second(0, 10), 1);
  EXPECT_EQ(second(std::nanf(""), 10), 1);
}

TEST(Nifti, AFourthDimensionIsChannelsAndMissingOnesAreOne) {
  const TempFolder folder;
  const auto shape = [&](std::vector<int16_t> dim) {
    return read_nifti(folder.write("a.nii", NiftiFile{.dim = std::move(dim)}.bytes())).shape();
  };
  EXPECT_EQ(shape({4, 5, 4, 3, 2}), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(shape({5, 5, 4, 3, 1, 2}), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(shape({2, 5, 4}), (Shape{1, 1, 4, 5}));
}

TEST(Nifti, AnExtensionBeforeTheVoxelsIsSkipped) {
  const TempFolder folder;
  EXPECT_EQ(read_nifti(folder.write("a.nii", NiftiFile{.offset = 400}.bytes())).at(5), 5);
}

/// The rows of an sform with these directions.
std::vector<float> sform_of(const std::vector<double>& directions) {
  std::vector<float> rows;
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) rows.push_back(static_cast<float>(directions[3 * r + c]));
    rows.push_back(-90);  // where the first voxel lies says nothing
  }
  return rows;
}

TEST(Nifti, VolumesAreTurnedAsNibabelTurnsThem) {
  const TempFolder folder;
  const auto golden = golden_fill::file("nifti");
  for (const std::string kind : {"sform", "qform"}) {
    const Array &voxels = golden.at(kind + "/voxels"), &shape = golden.at(kind + "/shape"),
                &spacing = golden.at(kind + "/spacing"), &letters = golden.at(kind + "/axes");
    for (int64_t n = 0; n < voxels.dim(0); ++n) {
      const golden_fill::Words words(fmt::format("{} {}", kind, n));
      std::vector<double> values;
      for (int64_t i = 0; i < 9; ++i) values.push_back(words.uniform(i));
      NiftiFile file{.dim = {3, 4, 3, 2}, .big = n % 2 == 0};
      if (kind == "sform") {
        for (size_t r = 0; r < 9 && n % 4 == 3; r += 3)
          values[r + 1] = values[r] + 0.1 * values[r + 1];
        file.rows_of_sform = sform_of(values);
      } else {
        for (size_t i = 0; i < 3; ++i) file.quaternion.push_back(static_cast<float>(values[i] / 2));
        file.pixdim = {n % 2 == 1 ? -1.0F : 1.0F, 1 + static_cast<float>(n) / 8, 2, 3};
      }
      const auto path = folder.write("a.nii", file.bytes());
      const VoxelAxes axes = nifti_axes(path);
      const Array read = read_nifti(path);
      std::string code;
      for (int64_t i = 0; i < 3; ++i) {
        code += static_cast<char>(letters.at(3 * n + i));
        ASSERT_EQ(read.dim(static_cast<int>(i) + 1), shape.at(3 * n + i)) << kind << n;
        ASSERT_NEAR(axes.turned_spacing()[static_cast<size_t>(i)], spacing.at(3 * n + i), 1e-6);
      }
      EXPECT_EQ(axes.code(), code) << kind << n;
      for (int64_t i = 0; i < 24; ++i)
        ASSERT_EQ(read.at(i), voxels.at(24 * n + i)) << kind << n << " " << i;
    }
  }
}

TEST(Nifti, WithoutOrientationAxesStayAndSpacingIsInTheUnitOfTheHeader) {
  const TempFolder folder;
  Bytes file = NiftiFile{.pixdim = {0, 0.5, 2, 3}}.bytes();
  const auto axes = [&] { return nifti_axes(folder.write("a.nii", file)); };
  EXPECT_FALSE(axes().known);
  EXPECT_EQ(axes().code(), "");
  EXPECT_EQ(axes().turned_spacing(), (std::array{3.0, 2.0, 0.5})) << "depth, height, width";
  file[123] = 3;  // micrometres
  EXPECT_NEAR(axes().spacing[2], 0.003, 1e-12);
  file[123] = 8 + 1;  // seconds and metres
  EXPECT_EQ(axes().spacing[1], 2000);
  EXPECT_EQ(read_nifti(folder.write("a.nii", file)).at(5), 5);
}

TEST(Nifti, AnSformCountsBeforeAQform) {
  const TempFolder folder;
  NiftiFile both{.quaternion = {0, 0, 1}, .rows_of_sform = sform_of({1, 0, 0, 0, 0, 1, 0, 1, 0})};
  EXPECT_EQ(nifti_axes(folder.write("a.nii", both.bytes())).code(), "RSA");
  both.rows_of_sform = {};
  EXPECT_EQ(nifti_axes(folder.write("a.nii", both.bytes())).code(), "LPS") << "half a turn";
}

TEST(Nifti, OrientationsThatCannotBeAreRefusedWithTheWayOut) {
  const TempFolder folder;
  const auto message = [&](const NiftiFile& file) {
    return error_text(ErrorKind::data,
                      [&] { (void)read_nifti(folder.write("a.nii", file.bytes())); });
  };
  const std::string zero = message({.rows_of_sform = std::vector<float>(12, 0)});
  EXPECT_NE(zero.find("has an orientation that cannot be used"), std::string::npos) << zero;
  EXPECT_NE(zero.find("an sform of three directions"), std::string::npos) << zero;
  EXPECT_NE(zero.find("0, 0, 0; 0, 0, 0; 0, 0, 0"), std::string::npos) << zero;
  EXPECT_NE(zero.find("sform_code and qform_code 0 in its header"), std::string::npos) << zero;
  const auto refused = [&](const NiftiFile& file) {
    EXPECT_NE(message(file).find("cannot be used"), std::string::npos);
  };
  refused({.rows_of_sform = sform_of({1, 0, 0, 0, std::nan(""), 0, 0, 0, 1})});
  refused({.rows_of_sform =
               sform_of({1, 0, 0, 0, std::numeric_limits<double>::infinity(), 0, 0, 0, 1})});
  refused({.rows_of_sform = sform_of({1, 1, 0, 1, 1, 0, 0, 0, 1})});  // two axes are the same
  refused({.quaternion = {0.8F, 0.8F, 0}});
  refused({.quaternion = {std::nanf(""), 0, 0}});
  // A rounding beyond 1 is none.
  EXPECT_EQ(
      nifti_axes(folder.write("a.nii", NiftiFile{.quaternion = {1.00001F, 0, 0}}.bytes())).code(),
      "RPI");
}

TEST(Nifti, HostileHeadersAreRefusedBeforeMemoryIsAllocated) {
  const TempFolder folder;
  const auto fails = [&](const std::string& part, const Bytes& file) {
    expect_error(ErrorKind::data, part, [&] { (void)read_nifti(folder.write("a.nii", file)); });
  };
  const Bytes good = NiftiFile{}.bytes();
  const NiftiFile plain;
  fails("does not begin like one", with(good, 0, 7));
  fails("is NIfTI-2", with(with(good, 0, 28), 1, 2));
  fails("one of a pair, .hdr and .img", NiftiFile{.magic = std::string("ni1\0", 4)}.bytes());
  fails("does not have its magic number", NiftiFile{.magic = "abcd"}.bytes());
  fails("of a type that is not read", with(good, 70, 128));
  fails("complex numbers", with(good, 70, 32));
  Bytes many = good;
  for (size_t i = 1; i <= 3; ++i) plain.put<int16_t>(many, 40 + 2 * i, 32767);
  fails("has dimensions that cannot be used", many);
  Bytes negative = good;
  plain.put<int16_t>(negative, 42, -3);
  fails("has dimensions that cannot be used", negative);
  Bytes large = good;
  for (size_t i = 1; i <= 3; ++i) plain.put<int16_t>(large, 40 + 2 * i, 600);
  fails("", large);  // what the file cannot hold
  Bytes far = good;
  plain.put<float>(far, 108, 1e30F);
  fails("begin at an impossible place", far);
  plain.put<float>(far, 108, std::nanf(""));
  fails("begin at an impossible place", far);
  fails("", cut(good, 100));
  fails("", cut(good, good.size() - 1));
  fails("", good + Bytes{1});
  expect_error(ErrorKind::data, "", [&] { (void)read_nifti(folder / "missing.nii"); });
}

TEST(Nifti, AChangedFileIsReadOrRefused) {
  const TempFolder folder;
  Random random(1, "mutations");
  for (const bool packed : {false, true}) {
    const Bytes plain = NiftiFile{}.bytes(), good = packed ? gzip(plain) : plain;
    for (int round = 0; round < 300; ++round) {
      Bytes bytes = good;
      for (uint64_t change = 0; change <= random.below(3); ++change) {
        if (random.below(6) == 0) bytes.resize(static_cast<size_t>(random.below(bytes.size())) + 1);
        bytes[static_cast<size_t>(random.below(bytes.size()))] =
            static_cast<uint8_t>(random.below(256));
      }
      try {
        (void)read_nifti(folder.write("a.nii", bytes));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      }
    }
  }
}

Array ramp(const Shape& shape) {
  Array values(DType::f32, shape);
  for (int64_t i = 0; i < values.numel(); ++i) values.set(i, static_cast<double>(i));
  return values;
}

TEST(Volumes, AreNormalisedEachByItself) {
  const TempFolder folder;
  write_npy(folder / "a.npy", ramp({4, 5, 6}));
  const VolumeModality modality({.depth = 4, .height = 5, .width = 6});
  const Array x = modality.read(folder / "a.npy");
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    sum += x.at(i);
    squares += x.at(i) * x.at(i);
  }
  EXPECT_NEAR(sum / 120, 0, 1e-5);
  EXPECT_NEAR(squares / 120, 1, 1e-5);
  EXPECT_EQ(make_modality(modality.text())->input(), (Type{DType::f32, {1, 4, 5, 6}}));
}

TEST(Volumes, AreCroppedAndPaddedAroundTheirCentre) {
  const Array x = ramp({1, 2, 3, 5});
  const Array y = centered(x, 3, 2, 3, -1);
  ASSERT_EQ(y.shape(), (Shape{1, 3, 2, 3}));
  // Depth 2 of 3, with the odd slice at the end; rows 0 and 1; columns 1 to 3.
  const std::vector<double> expected{1,  2,  3,  6,  7,  8,  16, 17, 18,
                                     21, 22, 23, -1, -1, -1, -1, -1, -1};
  for (int64_t i = 0; i < y.numel(); ++i) EXPECT_EQ(y.at(i), expected[static_cast<size_t>(i)]) << i;
}

TEST(Volumes, NumbersThatAreNotFiniteDoNotSpread) {
  const TempFolder folder;
  Array values = ramp({2, 2, 2});
  values.set(3, std::numeric_limits<double>::infinity());
  write_npy(folder / "a.npy", values);
  const Array x = VolumeModality({.depth = 2, .height = 2, .width = 2}).read(folder / "a.npy");
  for (int64_t i = 0; i < x.numel(); ++i) EXPECT_TRUE(std::isfinite(x.at(i)));
  write_npy(folder / "a.npy", Array::full(DType::f32, {2, 2, 2}, std::nan("")));
  expect_error(ErrorKind::data, "has no finite number", [&] {
    (void)VolumeModality({.depth = 2, .height = 2, .width = 2}).read(folder / "a.npy");
  });
}

Array zeros(const Shape& shape) { return Array::full(DType::u8, shape, 0); }

class VolumeFolder : public testing::Test {
 protected:
  void volume(const std::string& name, const Array& values) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_npy(folder_ / name, values);
  }
  DataSets open_it(const std::string& options = "") const {
    return open("volumes:" + folder_.path().string() + options);
  }
  TempFolder folder_;
};

TEST_F(VolumeFolder, ClassesAreFoldersOfAnyOfTheFormats) {
  for (int i = 0; i < 4; ++i) {
    volume("healthy/" + std::to_string(i) + ".npy", ramp({6, 5, 4}));
    folder_.write("ill/" + std::to_string(i) + ".nii.gz", gzip(NiftiFile{}.bytes()));
  }
  const DataSets sets = open_it();
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"healthy", "ill"}));
  EXPECT_EQ(sets.train->input(), (Type{DType::f32, {1, 6, 5, 4}})) << "as the first";
  EXPECT_EQ(open_it(",size=4x4x2").train->input(), (Type{DType::f32, {1, 4, 4, 2}}));
  for (int64_t i = 0; i < sets.train->size(); ++i)
    EXPECT_EQ(sets.train->sample(i).input.shape(), (Shape{1, 6, 5, 4}));
}

TEST_F(VolumeFolder, LabelsMoveWithTheirVolumes) {
  for (int i = 0; i < 3; ++i) {
    const std::string name = std::to_string(i) + ".npy";
    volume("images/" + name, ramp({4, 4, 4}));
    Array labels = zeros({4, 4, 4});
    labels.set(21, 2);    // slice 1, row 1, column 1
    labels.set(42, 255);  // slice 2, row 2, column 2
    volume("labels/" + name, labels);
  }
  const DataSets sets = open_it(",size=2");
  EXPECT_EQ(sets.targets().names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_TRUE(is_mask(sets.targets().type));
  const Sample sample = sets.train->sample(0);
  EXPECT_EQ(sample.input.shape(), (Shape{1, 2, 2, 2}));
  ASSERT_EQ(sample.target.shape(), (Shape{2, 2, 2, 1}));
  EXPECT_EQ(sample.target.at(0), 3);  // 1 + its class
  EXPECT_EQ(sample.target.at(7), 0) << "does not count";
  EXPECT_EQ(sample.target.at(1), 1);
  folder_.write("names.txt", {'a', '\n', 'b', '\n', 'c', '\n'});
  EXPECT_EQ(open_it().targets().names, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(VolumeFolder, LabelsAreTurnedWithTheirVolumes) {
  const NiftiFile lps{.rows_of_sform = sform_of({-1, 0, 0, 0, -1, 0, 0, 0, 1})};
  const NiftiFile ras{.rows_of_sform = sform_of({1, 0, 0, 0, 1, 0, 0, 0, 1})};
  Array own = ramp({2, 3, 4});  // as the voxels of NiftiFile are stored
  std::filesystem::create_directories(folder_ / "labels");
  std::filesystem::create_directories(folder_ / "images");
  folder_.write("images/0.nii", lps.bytes());
  write_npy(folder_ / "labels/0.npy", own);  // says nothing: lies as its image
  folder_.write("images/1.nii", lps.bytes());
  folder_.write("labels/1.nii", ras.bytes());  // says its own
  write_npy(folder_ / "images/2.npy", own);
  folder_.write("labels/2.nii", lps.bytes());  // the image says nothing
  folder_.write("images/3.nii", lps.bytes());
  folder_.write("labels/3.nii", lps.bytes());
  const DataSets sets = open_it();
  for (const auto& split : {sets.train, sets.test}) {
    for (int64_t i = 0; i < split->size(); ++i) {
      const bool turned = split->name(i).find("1.nii") == std::string::npos &&
                          split->name(i).find("2.npy") == std::string::npos;
      // Half a turn in the plane: the first voxel was the last one of its slice.
      EXPECT_EQ(split->target(i).at(0), turned ? 12 : 1) << split->name(i);
      EXPECT_EQ(split->sample(i).target.at(0), turned ? 12 : 1) << split->name(i);
    }
  }
}

TEST_F(VolumeFolder, TheCheckShowsSpacingAndOrientation) {
  for (int i = 0; i < 3; ++i) {
    for (const char* name : {"a", "b"}) {
      std::filesystem::create_directories(folder_ / name);
      const float value = name[0] == 'a' ? 1.0F : 2.0F, other = i == 2 ? 1.5F : 0.5F;
      folder_.write(fmt::format("{}/{}.nii", name, i),
                    NiftiFile{.slope = value + static_cast<float>(i),
                              .pixdim = {1, 1, 1.004F, i == 2 && name[0] == 'b' ? other : 0.5F},
                              .quaternion = {0, 0, 1}}
                        .bytes());
    }
  }
  write_npy(folder_ / "a/3.npy", ramp({2, 3, 4}));
  const Report report = check(open_it());
  ASSERT_EQ(report.spacings.size(), 2u);
  EXPECT_EQ(report.spacings[0].count, 5);
  EXPECT_NEAR(report.spacings[0].spacing[0], 0.5, 1e-6);
  ASSERT_EQ(report.odd_spacings.size(), 1u);
  EXPECT_NE(report.odd_spacings[0].sample.name.find("b/2.nii"), std::string::npos);
  EXPECT_EQ(report.odd_spacings[0].problem, "1.5 x 1.004 x 1 mm");
  EXPECT_EQ(report.orientations, (std::map<std::string, int64_t>{{"", 1}, {"LPS", 6}}));
  ASSERT_EQ(report.unoriented.size(), 1u);
  EXPECT_NE(report.unoriented[0].sample.name.find("a/3.npy"), std::string::npos);
}

TEST_F(VolumeFolder, LabelsThatDoNotFitAreNamed) {
  for (int i = 0; i < 2; ++i) {
    volume("images/" + std::to_string(i) + ".npy", ramp({4, 4, 4}));
    volume("labels/" + std::to_string(i) + ".npy", zeros({4, 4, 4}));
  }
  volume("labels/1.npy", zeros({4, 4, 3}));
  expect_error(ErrorKind::data, "labels/1.npy: is not of the size of its image", [&] {
    const DataSets sets = open_it();
    for (const auto& split : {sets.train, sets.test}) (void)split->sample(0);
  });
  volume("labels/1.npy", Array::full(DType::f32, {4, 4, 4}, 0.5));
  expect_error(ErrorKind::data, "labels/1.npy: has the label 0.5, which is no class",
               [&] { (void)open_it(); });
  std::filesystem::remove(folder_ / "labels/1.npy");
  expect_error(ErrorKind::data, "images/1.npy: there are no labels of it",
               [&] { (void)open_it(); });
  volume("labels/2.npy", zeros({4, 4, 4}));
  std::filesystem::remove(folder_ / "images/1.npy");
  expect_error(ErrorKind::data, "labels/2.npy: there is no image of it", [&] { (void)open_it(); });
}

TEST_F(VolumeFolder, OtherFilesAndChannelsAreRefused) {
  volume("a/0.npy", ramp({4, 4, 4}));
  volume("a/1.npy", ramp({2, 4, 4, 4}));
  volume("b/0.npy", ramp({4, 4}));
  const DataSets sets = open_it();
  const auto read = [&](const std::string& name) {
    for (const auto& split : {sets.train, sets.test}) {
      for (int64_t i = 0; i < split->size(); ++i) {
        if (split->name(i).ends_with(name)) (void)split->sample(i);
      }
    }
  };
  expect_error(ErrorKind::data, "a/1.npy: has 2 channels, not 1", [&] { read("a/1.npy"); });
  expect_error(ErrorKind::data, "b/0.npy: is not a volume", [&] { read("b/0.npy"); });
  expect_error(ErrorKind::usage, "is no size of at most",
               [&] { (void)open_it(",size=4096x4096x4096"); });
}

}  // namespace
}  // namespace fovea::data
