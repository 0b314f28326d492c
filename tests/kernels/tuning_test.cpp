// --tune: the fastest kernels, by measurement, and the file that keeps them.

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/process.h"
#include "fovea/graph/print.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/tuning_session.h"
#include "fovea/passes/pipeline.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

/// y = 3 x: an op whose kernels take as long as a test says.
template <int>
struct Thrice {
  static constexpr std::string_view name = "thrice";
  static constexpr Traits traits{.differentiable = false, .elementwise = true};
  Types infer(const Types& in) const { return {{in[0].dtype, in[0].shape}}; }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = 3 * v.in[0][i];
  }
};

int runs = 0;  // of all these kernels

class ThriceKernel final : public Kernel {
 public:
  ThriceKernel(int64_t n, double milliseconds) : n_(n), milliseconds_(milliseconds) {}
  void run(const Args& args) const override {
    ++runs;
    if (milliseconds_ < 0) throw Error(ErrorKind::data, "not these data");
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds_));
    for (int64_t i = 0; i < n_; ++i) args.output<float>(0)[i] = 3 * args.input<float>(0)[i];
  }

 private:
  int64_t n_;
  double milliseconds_;
};

/// A rule whose kernels take that long; it fails if that is less than 0.
KernelRule rule(const std::string& name, double milliseconds, double price = 1) {
  return {name,
          [=](const Problem& p) -> Offer {
            return std::make_unique<ThriceKernel>(p.in[0].numel(), milliseconds);
          },
          [=](const Problem& p) { return price * nominal_seconds(p); }};
}

Problem problem(const Op& op, const Shape& shape = {8}) {
  const Type type{DType::f32, shape};
  return {op, {type}, {type}, 1};
}

using Refused = std::vector<std::pair<std::string, std::string>>;

TEST(Tuning, TakesTheFastestKernelInsteadOfTheCheapest) {
  using Op = Thrice<0>;
  add_kernel_rule<Op>(rule("fast", 0));
  add_kernel_rule<Op>(rule("slow", 5, 0.1));
  add_kernel_rule<Op>(rule("fails", -1, 0.01));
  add_kernel_rule<Op>({"refuses", [](const Problem&) -> Offer { return Refusal{"never"}; }});
  EXPECT_EQ(choose_kernel(problem(Op{})).name, "fails");
  const TuningScope scope(std::make_shared<Tuning>());
  const KernelChoice choice = choose_kernel(problem(Op{}));
  EXPECT_EQ(choice.name, "fast");
  EXPECT_EQ(choice.refused, (Refused{{"fails", "not the fastest here (--tune)"},
                                     {"slow", "not the fastest here (--tune)"},
                                     {"refuses", "not the fastest here (--tune)"}}));
}

TEST(Tuning, MeasuresEachProblemOnceAndNoneThatOnlyOneKernelAccepts) {
  using Op = Thrice<1>;
  add_kernel_rule<Op>(rule("a", 0));
  const auto tuned = std::make_shared<Tuning>();
  const TuningScope scope(tuned);
  runs = 0;
  EXPECT_EQ(choose_kernel(problem(Op{})).name, "a");
  EXPECT_EQ(runs, 0);
  add_kernel_rule<Op>(rule("b", 3, 10));
  EXPECT_EQ(choose_kernel(problem(Op{})).name, "a");
  EXPECT_GT(runs, 0);
  EXPECT_LT(runs, 60) << "the slower one is given up early";
  runs = 0;
  EXPECT_EQ(choose_kernel(problem(Op{})).name, "a");
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(tuned->measured(), 1u);
  (void)choose_kernel(problem(Op{}, {9}));
  Problem two_threads = problem(Op{});
  two_threads.threads = 2;
  (void)choose_kernel(two_threads);
  {
    const DeterministicScope deterministic(true);
    (void)choose_kernel(problem(Op{}));
  }
  EXPECT_EQ(tuned->measured(), 4u) << "shapes, threads and modes are problems of their own";
}

TEST(Tuning, ChoicesNoLongerChangeOnceMeasuringHasStopped) {
  using Op = Thrice<2>;
  add_kernel_rule<Op>(rule("fast", 0));
  add_kernel_rule<Op>(rule("slow", 3, 0.1));
  const auto tuned = std::make_shared<Tuning>();
  const TuningScope scope(tuned);
  (void)choose_kernel(problem(Op{}, {1}));
  tuned->stop_measuring();
  runs = 0;
  EXPECT_EQ(choose_kernel(problem(Op{}, {1})).name, "fast");
  EXPECT_EQ(choose_kernel(problem(Op{}, {2})).name, "slow") << "by price, as without tuning";
  EXPECT_EQ(runs, 0);
}

/// The op after all passes, if its kernels take that long in each layout; by price channels-last is
/// the better one.
template <int number>
std::string laid_out(double plain, double channels_last) {
  using Op = Thrice<number>;
  KernelRule both = rule("both", 0);
  both.make = [=](const Problem& p) -> Offer {
    const bool last = p.in[0].layout == Layout::channels_last;
    return std::make_unique<ThriceKernel>(p.in[0].numel(), last ? channels_last : plain);
  };
  both.price = [](const Problem& p) {
    return p.in[0].layout == Layout::channels_last ? 0 : 100 * reorder_seconds(p.in[0]);
  };
  both.layouts = [](const Problem&) {
    return std::vector<Layouts>{{{Layout::plain}, {Layout::plain}},
                                {{Layout::channels_last}, {Layout::channels_last}}};
  };
  add_kernel_rule<Op>(std::move(both));
  const auto graph = Graph::make(Mode::eval, DType::f32);
  graph->output("y", graph->add_one(Op{}, {graph->input("x", {DType::f32, {1, 16, 8, 8}})}));
  return print(*run_passes(*graph, {}));
}

TEST(Tuning, LayoutsAreChosenByMeasuredTimesAndReorders) {
  EXPECT_NE((laid_out<3>(0, 0).find("channels_last")), std::string::npos) << "by price";
  const auto measured =
      [](const auto& print_graph) {  // the ops differ in nothing but their kernels
        const TuningScope scope(std::make_shared<Tuning>());
        return print_graph().find("channels_last") == std::string::npos ? "plain" : "channels-last";
      };
  EXPECT_STREQ(measured([] { return laid_out<4>(0, 3); }), "plain");
  EXPECT_STREQ(measured([] { return laid_out<5>(5, 0); }), "channels-last");
  EXPECT_STREQ(measured([] { return laid_out<6>(0, 0); }), "plain") << "not worth the reorders";
}

TEST(Tuning, TextReadsBackAndBrokenTextIsRefused) {
  Tuning tuning;
  tuning.add("0.25\tfast\tconv a\n\n1e-05\tslow\tconv b\n");
  EXPECT_EQ(tuning.text(), "0.25\tfast\tconv a\n1e-05\tslow\tconv b\n");
  tuning.add("0.5\tother\tconv a\n");  // known
  EXPECT_EQ(tuning.size(), 2u);
  for (const char* broken : {"0.25\tfast", "x\tfast\tconv c", "-1\tfast\tconv c",
                             "0.1\tfast\tconv c\t", "nan\tfast\tconv c"}) {
    try {
      tuning.add(std::string("0.1\tfast\tconv d\n") + broken);
      ADD_FAILURE() << broken;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(error.headline().substr(0, 10), "line 2 is ") << error.what();
    }
    EXPECT_EQ(tuning.size(), 2u) << "nothing is added";
  }
}

/// What a session says and measures.
struct Session {
  explicit Session(const std::filesystem::path& file, const std::vector<Problem>& problems) {
    TuningSession session([&](const std::string& text) { said += text + "\n"; }, file);
    for (const Problem& p : problems) chosen += choose_kernel(p).name + " ";
    measured = session.tuning().measured();
  }
  std::string said, chosen;
  size_t measured = 0;
};

using Kept = Thrice<7>;

void add_kept_rules() {
  static const bool once = [] {
    add_kernel_rule<Kept>(rule("fast", 0));
    add_kernel_rule<Kept>(rule("slow", 2, 0.1));
    return true;
  }();
  (void)once;
}

TEST(TuningSession, KeepsWhatItMeasuredForTheNextOne) {
  add_kept_rules();
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "a/tuning.txt";
  const Session first(file, {problem(Kept{}, {1}), problem(Kept{}, {2})});
  EXPECT_EQ(first.chosen, "fast fast ");
  EXPECT_EQ(first.said, "tuning: 2 problems measured, 0 known from " + file.string() + "\n");
  const Session second(file, {problem(Kept{}, {2}), problem(Kept{}, {3})});
  EXPECT_EQ(second.said, "tuning: 1 problem measured, 1 known from " + file.string() + "\n");
  const Session third(file, {problem(Kept{}, {1}), problem(Kept{}, {2}), problem(Kept{}, {3})});
  EXPECT_EQ(third.measured, 0u);
  EXPECT_EQ(third.chosen, "fast fast fast ");
  EXPECT_EQ(choose_kernel(problem(Kept{}, {1})).name, "slow") << "only while a session lasts";
}

TEST(TuningSession, IgnoresAndReplacesABrokenOrForeignFile) {
  add_kept_rules();
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "tuning.txt";
  const std::vector<Problem> problems{problem(Kept{})};
  const Session good(file, problems);
  const std::string text = read_text(file, ErrorKind::data);
  const std::string header = text.substr(0, text.find('\n'));
  for (const auto& [bytes, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "it begins with \"\" instead of \"" + header + "\""},
           {"Fovea 0.0.1, Other CPU\n" + text.substr(header.size() + 1),
            "it begins with \"Fovea 0.0.1, Other CPU\" instead of \"" + header + "\""},
           {text.substr(0, header.size() + 4), "line 2 is not \"SECONDS, KERNEL, PROBLEM\""},
           {header + "\n" + std::string(3000, '\x01'), "line 2 is not"}}) {
    put(file, bytes);
    const Session session(file, problems);
    EXPECT_EQ(session.measured, 1u) << why;
    EXPECT_NE(session.said.find("tuning: " + file.string() + " is ignored: "), std::string::npos)
        << session.said;
    EXPECT_NE(session.said.find(why), std::string::npos) << session.said;
    EXPECT_EQ(Session(file, problems).measured, 0u) << "it was replaced";
  }
}

TEST(TuningSession, AFileThatCannotBeWrittenIsReportedAndNoError) {
  add_kept_rules();
  const TemporaryFolder folder;
  put(folder / "file", "");
  const Session session(folder / "file/tuning.txt", {problem(Kept{})});
  EXPECT_EQ(session.chosen, "fast ");
  EXPECT_NE(session.said.find("1 problem measured"), std::string::npos) << session.said;
  EXPECT_NE(session.said.find("not kept: "), std::string::npos) << session.said;
}

TEST(TuningSession, ProcessesThatWriteAtOnceLoseNothing) {
  add_kept_rules();
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "tuning.txt";
  constexpr int processes = 4, each = 5;
  std::vector<pid_t> children;
  for (int k = 0; k < processes; ++k) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0; i < each; ++i) (void)Session(file, {problem(Kept{}, {1 + k * each + i})});
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  Tuning all;
  read_tuning(all, file);
  EXPECT_EQ(all.size(), static_cast<size_t>(processes * each));
}

TEST(TuningFile, IsInTheCacheFolderOfTheUserByCpuAndVersion) {
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string saved = before != nullptr ? before : "";
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(cache_folder(), "/somewhere/fovea");
  EXPECT_EQ(tuning_file().parent_path(), "/somewhere/fovea/tuning");
  EXPECT_EQ(tuning_file().extension(), ".txt");
  ::setenv("XDG_CACHE_HOME", "relative", 1);  // to be ignored, says the specification
  EXPECT_EQ(cache_folder(), std::filesystem::path(std::getenv("HOME")) / ".cache/fovea");
  before != nullptr ? ::setenv("XDG_CACHE_HOME", saved.c_str(), 1) : ::unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace fovea
