#pragma once

#include "console.h"
#include "fovea/draw/chart.h"
#include "fovea/images/image.h"

namespace fovea::cli {

/// Whether pictures can be drawn for --show. Errors: usage when standard output is not a terminal,
/// or with --json.
void check_show(const Console& console);

/// Draws the picture in the terminal: by kitty's protocol or as sixels where the terminal says that
/// it knows one, else in half blocks. Errors: as check_show.
void show(Console& console, const Image& picture);
/// Draws the curves of a chart in braille. Errors: as check_show.
void show(Console& console, const draw::Chart& chart);

}  // namespace fovea::cli
