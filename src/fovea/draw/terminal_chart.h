#pragma once

#include <string>

#include "fovea/draw/chart.h"

namespace fovea::draw {

/// The curves of a chart as text: the panels of Lines drawn with braille dots, `rows` lines each,
/// between a line with the title and the names and one with the range of x; the range of y is on
/// their left. Panels are beside each other where there is space. Lines end with a line feed and
/// have at most `columns` characters. `colors`: each curve has its own, in codes of 256 colours.
/// Without panels of Lines the text is empty. Errors: usage when columns or rows are below 1.
std::string terminal_chart(const Chart& chart, int columns, int rows, bool colors);

}  // namespace fovea::draw
