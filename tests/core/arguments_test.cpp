#include "fovea/core/arguments.h"

#include <gtest/gtest.h>

#include <limits>

#include "error_text.h"

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

TEST(Arguments, OmittedArgumentsHaveTheirDefaults) {
  EXPECT_EQ(read(step, "step:30").number("gamma"), 0.1);
  EXPECT_EQ(read(crop, "crop").integers("padding"), std::vector<int64_t>{4});
}

TEST(Arguments, TheTextReadsBackUnchanged) {
  for (const char* text : {"step:30", "step:30:0.5"})
    EXPECT_EQ(to_text(step, read(step, text)), text);
  for (const char* text : {"crop", "crop:2", "crop:4:reflect", "crop:2x3:zeros:true"}) {
    EXPECT_EQ(to_text(crop, read(crop, text)), text);
  }
  EXPECT_EQ(to_text(crop, read(crop, "crop:4:mode=zeros")), "crop");
}

TEST(Arguments, UsageShowsWhatIsOptional) {
  EXPECT_EQ(step.usage(), "step:EPOCHS[:GAMMA]");
  EXPECT_EQ(crop.usage(), "crop[:PADDING[:MODE[:ALTERNATE]]]");
}

TEST(Arguments, HelpListsEveryArgument) {
  const Choice plain{.name = "constant", .help = "the base rate"};
  Choice falling = step;
  falling.help = "falls in steps";
  falling.arguments[1].help = "factor of a step";
  EXPECT_EQ(listing(std::vector<const Choice*>{&plain, &falling}),
            "  constant             the base rate\n"
            "  step:EPOCHS[:GAMMA]  falls in steps\n"
            "      epochs: an integer from 1 to 1000000\n"
            "      gamma: factor of a step, a number above 0 and at most 1 (default: 0.1)\n");
}

TEST(Arguments, AMistakeSaysWhatIsExpected) {
  const std::string usage = "\n  usage   step:EPOCHS[:GAMMA]";
  EXPECT_EQ(message(step, "step:0"),
            "schedule step: epochs must be an integer from 1 to 1000000, not \"0\"" + usage);
  EXPECT_EQ(message(step, "step:1.5"),
            "schedule step: epochs must be an integer from 1 to 1000000, not \"1.5\"" + usage);
  EXPECT_EQ(message(step, "step:3:0"),
            "schedule step: gamma must be a number above 0 and at most 1, not \"0\"" + usage);
  EXPECT_EQ(message(step, "step"), "schedule step: epochs is missing" + usage);
  EXPECT_EQ(message(step, "step:"),
            "schedule step: epochs must be an integer from 1 to 1000000, not \"\"" + usage);
  EXPECT_EQ(message(step, "step:1:1:1"), "schedule step takes at most 2 arguments, not 3" + usage);
  EXPECT_EQ(message(step, "step:3:beta=1"), "schedule step has no argument \"beta\"" + usage);
  EXPECT_EQ(message(step, "step:3:epochs=4"), "schedule step: epochs is given twice" + usage);
  EXPECT_EQ(message(crop, "crop:4:mirror"),
            "schedule crop: mode must be \"zeros\" or \"reflect\", not \"mirror\"\n"
            "  usage   crop[:PADDING[:MODE[:ALTERNATE]]]");
  for (const char* padding : {"nan", "1x2x3x4", "4x", "65", "9007199254740993"}) {
    EXPECT_EQ(message(crop, std::string("crop:") + padding),
              "schedule crop: padding must be an integer from 0 to 64 or a list with one per axis, "
              "not \"" +
                  std::string(padding) + "\"\n  usage   crop[:PADDING[:MODE[:ALTERNATE]]]");
  }
  EXPECT_EQ(message({.name = "constant"}, "constant:1"),
            "schedule constant takes no arguments, not 1\n  usage   constant");
}

TEST(Arguments, AFlagIsReadAndItsMistakesNameIt) {
  const Argument rate{.name = "drop_path", .maximum = 1, .open_maximum = true};
  EXPECT_EQ(rate.flag(), "--drop-path");
  EXPECT_EQ(rate.read_flag("0.5"), ArgumentValue(0.5));
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)rate.read_flag("1"); }),
            "--drop-path must be a number of at least 0 and below 1, not \"1\"");
}

TEST(Arguments, RangesReadLikeEnglish) {
  const double none = std::numeric_limits<double>::infinity();
  const auto expected = [](Argument argument) { return argument.expected(); };
  EXPECT_EQ(expected({.name = "x"}), "a number of at least 0");
  EXPECT_EQ(expected({.name = "x", .open_minimum = true}), "a number above 0");
  EXPECT_EQ(expected({.name = "x", .minimum = -none}), "a number");
  EXPECT_EQ(expected({.name = "x", .minimum = -none, .maximum = 2}), "a number of at most 2");
  EXPECT_EQ(expected({.name = "x", .maximum = 1, .open_maximum = true}),
            "a number of at least 0 and below 1");
  EXPECT_EQ(expected({.name = "x", .minimum = 1e-6, .maximum = 1e6}),
            "a number from 1e-06 to 1000000");
  EXPECT_EQ(expected({.name = "x",
                      .type = ArgumentType::integers,
                      .maximum = 9,
                      .words = {"same", "valid", "full"}}),
            "an integer from 0 to 9, a list with one per axis, \"same\", \"valid\" or \"full\"");
  EXPECT_EQ(expected({.name = "x", .type = ArgumentType::flag}), "true or false");
}

// A user's row with a mistake is refused when it is added, not when it is chosen.
TEST(Arguments, ADeclarationThatCannotWorkIsRefused) {
  struct Row {
    Choice choice;
  };
  const auto added = [](std::vector<Argument> arguments) -> std::string {
    try {
      ChoiceTable<Row>("schedule", {{step}, {{.name = "mine", .arguments = std::move(arguments)}}});
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(added({{.name = "a"}, {.name = "a"}}), "schedule mine: a is declared twice");
  EXPECT_EQ(added({{.name = "a", .default_value = 1.0}, {.name = "b"}}),
            "schedule mine: b is required but follows an optional one");
  EXPECT_EQ(added({{.name = "a", .default_value = 2.0, .maximum = 1}}),
            "schedule mine: a has the default 2, but must be a number from 0 to 1");
  EXPECT_EQ(added({{.name = "a", .default_value = int64_t{1}}}),
            "schedule mine: a has the default 1, but must be a number of at least 0");
  EXPECT_EQ(added({{.name = "a", .type = ArgumentType::word}}), "schedule mine: a accepts no word");
  EXPECT_EQ(added({{.name = "a=b"}}),
            "schedule mine: a=b: a name must not be empty or contain : , or =");
  EXPECT_THROW(ChoiceTable<Row>("schedule", {{{.name = "a:b"}}}), Error);
  ChoiceTable<Row> table("schedule", {{step}});
  EXPECT_THROW(table.add({step}), Error);
  table.add({crop});
  EXPECT_EQ(usages(choices_of(table.rows())),
            "step:EPOCHS[:GAMMA], crop[:PADDING[:MODE[:ALTERNATE]]]");
  EXPECT_EQ(table.read("crop:3").row.choice.name, "crop");
  EXPECT_EQ(table.read("crop:3").arguments.integers("padding"), std::vector<int64_t>{3});
}

TEST(Arguments, AnUnknownNameListsTheKnownOnes) {
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

TEST(Arguments, AListIsSplitAtCommas) {
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
