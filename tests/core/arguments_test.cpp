#include "fovea/core/arguments.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

const Choice step{
    .name = "step",
    .arguments = {{.name = "epochs", .type = ArgumentType::integer, .minimum = 1, .maximum = 1e6},
                  {.name = "gamma", .default_value = 0.1, .maximum = 1, .open_minimum = true}}};
const Choice crop{
    .name = "crop",
    .arguments = {{.name = "padding",
                   .type = ArgumentType::integers,
                   .default_value = std::vector<int64_t>{4},
                   .maximum = 64},
                  {.name = "mode",
                   .type = ArgumentType::word,
                   .default_value = std::string("zeros"),
                   .words = {"zeros", "reflect"}},
                  {.name = "alternate", .type = ArgumentType::flag, .default_value = false}}};

Arguments read(const Choice& choice, std::string_view text) {
  return read_arguments("schedule", choice, parse_choice(text).arguments);
}

std::string message(const Choice& choice, std::string_view text) {
  try {
    read(choice, text);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Arguments, AreReadInOrderAndByName) {
  for (const char* text :
       {"step:30:0.5", "step:30,0.5", "step:30:gamma=0.5", "step:gamma=0.5:epochs=30"}) {
    const Arguments a = read(step, text);
    EXPECT_EQ(a.integer("epochs"), 30) << text;
    EXPECT_EQ(a.number("gamma"), 0.5) << text;
  }
  const Arguments a = read(crop, "crop:2x3:reflect:true");
  EXPECT_EQ(a.integers("padding"), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.word("mode"), "reflect");
  EXPECT_TRUE(a.flag("alternate"));
}

TEST(Arguments, WhatIsNotGivenHasItsDefault) {
  EXPECT_EQ(read(step, "step:30").number("gamma"), 0.1);
  EXPECT_EQ(read(crop, "crop").integers("padding"), std::vector<int64_t>{4});
}

TEST(Arguments, TheTextReadsBackToTheSame) {
  for (const char* text : {"step:30", "step:30:0.5"})
    EXPECT_EQ(to_text(step, read(step, text)), text);
  for (const char* text : {"crop", "crop:2", "crop:4:reflect", "crop:2x3:zeros:true"}) {
    EXPECT_EQ(to_text(crop, read(crop, text)), text);
  }
  EXPECT_EQ(to_text(crop, read(crop, "crop:4:mode=zeros")), "crop");
}

TEST(Arguments, UsageSaysWhatMayBeLeftOut) {
  EXPECT_EQ(step.usage(), "step:EPOCHS[:GAMMA]");
  EXPECT_EQ(crop.usage(), "crop[:PADDING[:MODE[:ALTERNATE]]]");
}

TEST(Arguments, AMistakeSaysWhatIsPossible) {
  EXPECT_EQ(message(step, "step:0"),
            "schedule: the epochs of step is \"0\", an integer from 1 to 1000000 is possible\n"
            "  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(step, "step:1.5"),
            "schedule: the epochs of step is \"1.5\", an integer from 1 to 1000000 is possible\n"
            "  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(step, "step:3:0"),
            "schedule: the gamma of step is \"0\", a number above 0 and at most 1 is possible\n"
            "  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(step, "step"),
            "schedule: the epochs of step is missing\n  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(step, "step:1:1:1"),
            "schedule: step takes 2 arguments, not 3\n  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(step, "step:3:beta=1"),
            "schedule: step has no argument \"beta\"\n  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(step, "step:3:epochs=4"),
            "schedule: the epochs of step is given twice\n  expected step:EPOCHS[:GAMMA]");
  EXPECT_EQ(message(crop, "crop:4:mirror"),
            "schedule: the mode of crop is \"mirror\", \"zeros\" or \"reflect\" is possible\n"
            "  expected crop[:PADDING[:MODE[:ALTERNATE]]]");
  EXPECT_EQ(message(crop, "crop:nan"),
            "schedule: the padding of crop is \"nan\", an integer from 0 to 64 or a list, one per "
            "axis is possible\n  expected crop[:PADDING[:MODE[:ALTERNATE]]]");
}

TEST(Arguments, AnUnknownNameListsWhatThereIs) {
  struct Row {
    Choice choice;
  };
  const std::vector<Row> rows{{step}, {crop}};
  EXPECT_EQ(&find_choice("schedule", rows, "crop"), &rows[1]);
  try {
    find_choice("schedule", rows, "stpe");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "unknown schedule \"stpe\"\n  nearest step\n"
                 "  known   step:EPOCHS[:GAMMA], crop[:PADDING[:MODE[:ALTERNATE]]]");
  }
}

TEST(Arguments, AListIsTakenApartAtCommas) {
  const std::vector<ChoiceText> list = parse_choices("crop:4:reflect,flip,mixup:0.2");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].name, "crop");
  EXPECT_EQ(list[0].arguments, (std::vector<std::string>{"4", "reflect"}));
  EXPECT_EQ(list[1].name, "flip");
  EXPECT_TRUE(list[1].arguments.empty());
  EXPECT_EQ(list[2].arguments, std::vector<std::string>{"0.2"});
}

}  // namespace
}  // namespace fovea
