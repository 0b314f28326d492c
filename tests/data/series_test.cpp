#include "fovea/data/series.h"

#include <cmath>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/registry.h"

namespace fovea::data {
namespace {

using Values = std::vector<float>;

class Series : public testing::Test {
 protected:
  void text(const std::string& name, const std::string& contents) {
    folder_.write(name, Bytes(contents.begin(), contents.end()));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  SeriesFile read(const std::string& name) const { return read_series(folder_ / name); }
  DataSets ucr(const std::string& options = "") const {
    return open("ucr:" + path("Set") + options);
  }
  DataSets table(const std::string& contents, const std::string& options = "") {
    text("t.csv", contents);
    return open("series:" + path("t.csv") + options);
  }
  /// The message of reading such a file; its own path is left out.
  std::string fault(const std::string& name, const std::string& contents) {
    text(name, contents);
    std::string said = error_text(ErrorKind::data, [&] { (void)read(name); });
    const size_t at = said.find(path(name) + ": ");
    return at == std::string::npos ? said : said.erase(at, path(name).size() + 2);
  }
  static Values input(const Dataset& set, int64_t i) {
    const Array input = set.sample(i).input;
    return {input.data<float>().begin(), input.data<float>().end()};
  }
  static std::string ts(const std::string& headers, const std::string& lines) {
    return "# of no interest\n@problemName Set\n" + headers + "@data\n" + lines;
  }

  TempFolder folder_;
};

TEST_F(Series, TheUeaArchivesFormat) {
  text("Set_TRAIN.ts", ts("@timeStamps false\n@missing true\n@univariate false\n@dimensions 2\n"
                          "@equalLength true\n@seriesLength 4\n@classLabel true walk run\r\n",
                          "1,2,3,4:5,6,7,8:run\r\n?,1,?,3:NaN,?,?,2.5e-1: walk\n\n"));
  text("Set_TEST.ts", ts("@classLabel true walk run\n", "0,0,0,1:0,0,0,0:walk"));
  const DataSets sets = ucr(",normalize=none");
  EXPECT_EQ(sets.targets(), class_targets({"walk", "run"}));  // in the order of the header
  EXPECT_EQ(sets.train->input(), (Type{DType::f32, {2, 4}}));
  EXPECT_EQ(sets.train->size(), 2);
  EXPECT_EQ(class_of(*sets.train, 0), 1);
  EXPECT_EQ(input(*sets.train, 0), (Values{1, 2, 3, 4, 5, 6, 7, 8}));
  // What is missing is interpolated in time, and continued at the ends.
  EXPECT_EQ(input(*sets.train, 1), (Values{1, 1, 2, 3, 0.25, 0.25, 0.25, 0.25}));
  EXPECT_EQ(sets.test->size(), 1);
  EXPECT_EQ(sets.train->modality()->text(), "series:2:4:false:none");
  EXPECT_EQ(sets.train->name(1), "Set_TRAIN.ts[1]");
}

TEST_F(Series, RegressionTargets) {
  text("Set_TRAIN.ts",
       ts("@equalLength false\n@targetLabel true\n", "1,2:-1.5\n3,4:2\n5,6:0\n7,8:1e3\n"));
  const DataSets sets = ucr();
  EXPECT_EQ(sets.targets().type, (Type{DType::f32, {1}}));
  EXPECT_EQ(sets.train->size() + sets.test->size(), 4);  // a part is held out
  EXPECT_EQ(fault("x.ts", ts("@targetLabel true\n", "1,2:many\n")),
            "line 5 has the target \"many\", which is not a finite number");
}

TEST_F(Series, TheUcrArchivesFormat) {
  text("Set/Set_TRAIN.tsv", "10\t1.5\t2\t-3\n-1\t4\tNaN\t6\n2.0000e+00\t7\t8\t9\n");
  text("Set/Set_TEST.tsv", "2\t1\t2\t3\n");
  const DataSets sets = ucr(",normalize=none");  // the folder of the archive
  EXPECT_EQ(sets.targets(), class_targets({"-1", "2", "10"}));
  EXPECT_EQ(input(*sets.train, 1), (Values{4, 5, 6}));
  EXPECT_EQ(class_of(*sets.train, 2), 1);
}

TEST_F(Series, ShorterSeriesArePaddedAndMasked) {
  text("Set_TRAIN.tsv", "1\t1\t2\t3\n2\t4\t5\tNaN\n1\t6\tNaN\tNaN\n");
  text("Set_TEST.tsv", "1\t1\t2\t3\t4\n");  // the longest of all splits
  const DataSets sets = ucr();
  EXPECT_EQ(sets.train->input(), (Type{DType::f32, {2, 4}}));
  EXPECT_EQ(input(*sets.train, 1), (Values{4, 5, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(input(*sets.test, 0), (Values{1, 2, 3, 4, 1, 1, 1, 1}));
  EXPECT_TRUE(sets.train->modality()->masks());
  // Statistics are those of the series alone, and the mask stays as it is.
  const ChannelStats stats = channel_stats(*sets.train);
  EXPECT_EQ(stats.mean, (std::vector<double>{21.0 / 6, 0}));
  EXPECT_NEAR(stats.std[0], std::sqrt(91.0 / 6 - 3.5 * 3.5), 1e-12);
  EXPECT_EQ(stats.std[1], 1);

  EXPECT_EQ(ucr(",length=6").train->input(), (Type{DType::f32, {2, 6}}));
  EXPECT_EQ(
      error_text(ErrorKind::usage, [&] { (void)ucr(",length=3"); }),
      "length=3 is below that of the longest series, 4\n"
      "  try     length=4 or more, to which series are padded; or longer=middle, which cuts longer "
      "ones");
  // Each series by itself: without its padding.
  EXPECT_EQ(input(*ucr(",normalize=series").train, 1), (Values{-1, 1, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(input(*ucr(",normalize=series").train, 2)[0], 0);  // which has no spread
}

TEST_F(Series, LongerOnesAreCutWhereThatIsAskedFor) {
  text("Set_TRAIN.tsv", "1\t1\t2\t3\t4\t5\t6\n2\t7\t8\tNaN\tNaN\tNaN\tNaN\n");
  text("Set_TEST.tsv", "1\t1\t2\t3\n");
  const DataSets sets = ucr(",length=4,longer=middle");
  EXPECT_EQ(sets.train->modality()->text(), "series:1:4:true:channel:middle");
  EXPECT_EQ(input(*sets.train, 0), (Values{2, 3, 4, 5, 1, 1, 1, 1}));
  EXPECT_EQ(input(*sets.train, 1), (Values{7, 8, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(input(*ucr(",length=4,longer=beginning").train, 0), (Values{1, 2, 3, 4, 1, 1, 1, 1}));
  EXPECT_TRUE(sets.train->has_stretches());
  EXPECT_FALSE(ucr().train->has_stretches());
  const auto stretch = [&](double place) { return sets.train->stretch(0, place).at(0); };
  EXPECT_EQ(stretch(0), 1);
  EXPECT_EQ(stretch(1), 3);
  EXPECT_EQ(sets.train->stretch(1, 1).at(0), 7) << "a shorter one is padded at its end";
  text("long.ts", ts("@classLabel false\n", "7,8,9,10,11,12\n"));
  const auto modality = make_modality(sets.train->modality()->text());
  EXPECT_EQ(modality->read(folder_ / "long.ts").at(0), 8);
  EXPECT_EQ(modality->read_stretch(folder_ / "long.ts", 1).at(0), 9);
  text("short.ts", ts("@classLabel false\n", "7,8\n"));
  EXPECT_EQ(
      error_text(
          ErrorKind::data,
          [&] {
            (void)make_modality("series:1:4:false:channel:middle")->read(folder_ / "short.ts");
          }),
      path("short.ts") +
          ": line 5 is a series of 2 steps; at least 4 are expected\n"
          "  try     a model trained with length=N: series up to that length are padded");
}

TEST_F(Series, AFileForPredictionNeedsNoLabels) {
  text("Set_TRAIN.tsv", "1\t1\t2\t3\n2\t4\t5\tNaN\n");
  const auto modality = make_modality("series:1:3:true:channel");
  text("new.ts", ts("@classLabel false\n", "7,8\n9,9,9\n"));
  const std::vector<Array> inputs = modality->read_all(folder_ / "new.ts");
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(Values(inputs[0].data<float>().begin(), inputs[0].data<float>().end()),
            (Values{7, 8, 0, 1, 1, 0}));
  text("new.csv", "a,b,c\n1,2,3\n");
  EXPECT_EQ(modality->read(folder_ / "new.csv").shape(), (Shape{2, 3}));
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)modality->read(folder_ / "new.ts"); }),
            path("new.ts") + ": 2 series; one is expected here");
  text("long.ts", ts("@classLabel false\n", "7,8,9,10\n"));
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)modality->read(folder_ / "long.ts"); }),
            path("long.ts") +
                ": line 5 is a series of 4 steps; at most 3 are expected\n"
                "  try     a model trained with length=N: series up to that length are padded");
  text("wide.ts", ts("@classLabel false\n", "7,8:1,2\n"));
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)modality->read(folder_ / "wide.ts"); }),
            path("wide.ts") + ": line 5 is a series of 2 channels; 1 are expected");
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)open("ucr:" + path("new")); }),
            path("new") + ": no such series\n  looked  for " + path("new") + "_TRAIN.ts and " +
                path("new") +
                "_TRAIN.tsv\n  try     --data ucr:DIR/NAME, the files' names without _TRAIN.ts");
  text("new_TRAIN.ts", ts("@classLabel false\n", "7,8\n"));
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)open("ucr:" + path("new")); }),
            path("new_TRAIN.ts") +
                ": its series have no labels\n"
                "  expected @classLabel true and their names, or @targetLabel true");
}

TEST_F(Series, TablesOfARowPerSeries) {
  const DataSets sets = table(
      "split,label,t0,t1,t2,group\n"
      "train,b,1,2,3,x\ntest,a,4,5,6,y\ntrain,a,7,,9,x\nval,b,1,1,,z\n",
      ",normalize=none");
  EXPECT_EQ(sets.targets(), class_targets({"a", "b"}));
  EXPECT_EQ(sets.train->size(), 2);
  EXPECT_EQ(sets.val->size(), 1);
  EXPECT_EQ(input(*sets.train, 1), (Values{7, 8, 9, 1, 1, 1}));
  EXPECT_EQ(input(*sets.val, 0), (Values{1, 1, 0, 1, 1, 0}));  // an empty end is none
  EXPECT_EQ(sets.train->group(0), sets.train->group(1));
  const DataSets numbers = table("target,t0,t1\n1.5,1,2\n2,3,4\n-1,5,6\n");
  EXPECT_EQ(numbers.targets().type, (Type{DType::f32, {1}}));
}

TEST_F(Series, TablesOfARowPerStep) {
  const DataSets sets = table(
      "series,label,x,y\n"
      "one,a,1,10\none,a,2,20\ntwo,b,3,30\none,a,,40\ntwo,b,4,40\n",
      ",normalize=none");
  ASSERT_EQ(sets.train->size() + sets.test->size(), 2);
  const Dataset& first = class_of(*sets.train, 0) == 0 ? *sets.train : *sets.test;
  EXPECT_EQ(input(first, 0), (Values{1, 2, 2, 10, 20, 40, 1, 1, 1}));
}

TEST_F(Series, TablesOfARowPerChannel) {
  const DataSets sets = table(
      "series,channel,label,t0,t1,t2\n"
      "1,x,a,1,2,\n1,y,a,4,5,6\n2,y,b,7,8,9\n2,x,b,1,2,3\n3,x,b,0,0,0\n3,y,b,1,1,1\n",
      ",normalize=none");
  for (const auto& split : {sets.train, sets.test}) {
    for (int64_t i = 0; i < split->size(); ++i) {
      if (split->name(i) == "t.csv[0]") {
        EXPECT_EQ(input(*split, i), (Values{1, 2, 2, 4, 5, 6}));
      }
      if (split->name(i) == "t.csv[1]") {
        EXPECT_EQ(input(*split, i), (Values{1, 2, 3, 7, 8, 9}));
      }
    }
  }
}

TEST_F(Series, WhatIsWrongWithAFileIsNamedWithItsLine) {
  const std::string classes = "@classLabel true a b\n";
  EXPECT_EQ(fault("x.ts", ""), "no line @data");
  EXPECT_EQ(fault("x.ts", "1,2:a\n"),
            "line 1 comes before @data, and is no header that begins with @");
  EXPECT_EQ(fault("x.ts", ts(classes, "1,2:c\n")),
            "line 5 has the class \"c\", which @classLabel does not name\n  known   a, b");
  EXPECT_EQ(fault("x.ts", ts(classes, "1,2\n")), "line 5 has no label after a colon");
  EXPECT_EQ(fault("x.ts", ts(classes, "1,two:a\n")),
            "line 5 has \"two\" where a finite number is expected");
  EXPECT_EQ(fault("x.ts", ts(classes, "1,1e999:a\n")),
            "line 5 has \"1e999\" where a finite number is expected");
  EXPECT_EQ(fault("x.ts", ts(classes, "1,2:3:a\n")),
            "line 5 has 1 value in channel 2, but 2 in channel 1");
  EXPECT_EQ(fault("x.ts", ts(classes, "1,2:a\n1,2:3,4:b\n")),
            "line 6 has 2 channels, but the series before it 1");
  EXPECT_EQ(fault("x.ts", ts("@dimensions 3\n" + classes, "1,2:a\n")),
            "line 6 has 1 channel, but the header says 3");
  EXPECT_EQ(fault("x.ts", ts("@equalLength true\n@seriesLength 3\n" + classes, "1,2:a\n")),
            "line 7 has 2 values, but the header says 3");
  EXPECT_EQ(fault("x.ts", ts("@timeStamps true\n" + classes, "")),
            "line 3 says that values have time stamps, which are not read");
  EXPECT_EQ(fault("x.ts", ts(classes, "(0,1),(1,2):a\n")),
            "line 5 has time stamps, which are not read");
  EXPECT_EQ(fault("x.ts", ts("@univariate maybe\n@equalLength maybe\n", "")),
            "line 4 says that @equallength is \"maybe\"; true or false is expected");
  EXPECT_EQ(fault("x.ts", ts("@dimensions 0\n", "")),
            "line 3 says that @dimensions is \"0\"; a count is expected");
  EXPECT_EQ(fault("x.ts", ts(classes, "?,?:a\n")), "line 5 is a series without values");
  EXPECT_EQ(fault("x.ts", ts(classes, ":a\n")), "line 5 is a series without values");
  EXPECT_EQ(fault("x.tsv", "1\t2\t3\n\t2\n"), "line 2 has no label");
  EXPECT_EQ(fault("x.tsv", "1\tNaN\n"), "line 1 is a series without values");
  EXPECT_EQ(fault("x.csv", "label\na\n").substr(0, 19), "no column of values");
  EXPECT_EQ(fault("x.csv", "label,target,x\na,1,2\n").substr(0, 39),
            "both a column label and a column target");
  EXPECT_EQ(fault("x.csv", "channel,label,x\na,1,2\n").substr(0, 36),
            "a column channel, but no column seri");
  EXPECT_NE(fault("x.csv", "series,label,x,y\n1,a,2,3\n2,b,2,3\n").find("every series has one row"),
            std::string::npos);
  EXPECT_EQ(fault("x.csv", "series,label,x\n1,a,2\n1,b,3\n2,b,3\n"),
            "line 3 has another label than line 2, of the same series");
  EXPECT_EQ(fault("x.csv", "series,channel,label,x\n1,p,a,2\n1,p,a,3\n"),
            "line 3 has the channel \"p\" of its series again");
  EXPECT_EQ(fault("x.csv", "series,channel,label,x\n1,p,a,2\n2,q,a,3\n"),
            "line 3 begins a series without the channel \"p\"");
  EXPECT_EQ(fault("x.csv", "series,channel,label,x\n1,p,a,2\n2,p,a,3\n2,q,a,3\n"),
            "line 3 begins a series of 2 channels; the first has 1");
  EXPECT_EQ(fault("x.txt", "1 2 3\n"),
            "not the name of a file of series\n  expected .ts, .tsv, .csv");
}

TEST_F(Series, SplitsThatDoNotFitAreRefused) {
  const auto opening = [&] { return error_text(ErrorKind::data, [&] { (void)ucr(); }); };
  text("Set_TRAIN.ts", ts("@classLabel true a b\n", "1,2:a\n3,4:b\n"));
  text("Set_TEST.ts", ts("@targetLabel true\n", "1,2:1\n"));
  EXPECT_EQ(opening(), path("Set_TEST.ts") + ": classes here, numbers in Set_TRAIN.ts");
  text("Set_TEST.ts", ts("@classLabel true a b\n", "1,2:1,2:a\n"));
  EXPECT_EQ(opening(), path("Set_TEST.ts") + ": 2 channels, but 1 in Set_TRAIN.ts");
  text("Set_TEST.ts", ts("@classLabel true a b\n", ""));
  EXPECT_EQ(opening(), path("Set_TEST.ts") + ": no series");
  text("t.csv", "split,label,x\ntrain,a,1\nother,b,2\n");
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)open("series:" + path("t.csv")); }),
            path("t.csv") + ": line 3 has the split \"other\"; train, val or test is expected");
}

TEST_F(Series, HostileFilesTakeNoMemory) {
  // A long series beside short ones: what is padded is made when it is asked for.
  std::string lines = "1,2:a\n";
  for (int i = 0; i < 15; ++i) lines += lines.substr(0, size_t{1} << 20);
  std::string longest;
  for (int i = 0; i < 1 << 20; ++i) longest += "1,";
  text("Set_TRAIN.ts", ts("@classLabel true a b\n", lines + longest + "1:b\n"));
  const DataSets sets = ucr(",normalize=none");
  EXPECT_LT(sets.train->held_bytes(), int64_t{8} << 20);
  EXPECT_EQ(sets.train->input(), (Type{DType::f32, {2, (1 << 20) + 1}}));
  // Many channels and a long series, each small in the file.
  std::string channels;
  for (int i = 0; i < 60000; ++i) channels += "1:";
  text("wide.ts", ts("", channels + "1\n"));
  EXPECT_EQ(read("wide.ts").channels, 60001);
  folder_.zeros("big.tsv", uintmax_t{3} << 30);
  EXPECT_NE(error_text(ErrorKind::data, [&] { (void)read("big.tsv"); }).find("big.tsv"),
            std::string::npos);
  folder_.zeros("big.csv", uintmax_t{300} << 20);
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)read("big.csv"); }),
            path("big.csv") + ": a table of more than 256 MiB\n  try     a .ts file");
}

TEST_F(Series, DamagedFilesAreReadOrRefused) {
  text("Set_TRAIN.ts", ts("@missing true\n@univariate false\n@dimensions 2\n@equalLength false\n"
                          "@classLabel true walk run\n",
                          "1,2,3,4:5,6,7,8:run\n?,1,?,3:NaN,?,?,2.5e-1:walk\n1,2:3,4:run\n"));
  const auto open_all = [](const std::string& spec) {
    const DataSets sets = open(spec);
    for (const auto& split : {sets.train, sets.test}) {
      for (int64_t i = 0; i < split->size(); ++i) (void)split->sample(i);
    }
  };
  expect_no_worse(folder_, "Set_TRAIN.ts", [&] { open_all("ucr:" + path("Set")); });
  text("Other_TRAIN.tsv", "1\t1.5\t2\t-3\n2\t4\tNaN\t6\n1\t7\t8\tNaN\n");
  expect_no_worse(folder_, "Other_TRAIN.tsv", [&] { open_all("ucr:" + path("Other")); });
  text("t.csv", "series,channel,label,t0,t1\n1,x,a,1,2\n1,y,a,4,\n2,x,b,7,8\n2,y,b,7,8\n");
  expect_no_worse(folder_, "t.csv", [&] { open_all("series:" + path("t.csv")); });
  text("steps.csv", "series,label,x,y\none,a,1,10\none,a,2,20\ntwo,b,3,30\n");
  expect_no_worse(folder_, "steps.csv", [&] { open_all("series:" + path("steps.csv")); });
}

}  // namespace
}  // namespace fovea::data
