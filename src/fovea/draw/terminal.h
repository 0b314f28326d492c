#pragma once

#include <string>

#include "fovea/images/image.h"

namespace fovea::draw {

/// How a terminal shows pictures.
enum class TerminalPictures {
  blocks,  ///< half blocks in 24-bit colour: two pixels per character, in almost any terminal
  sixel,   ///< DEC's sixel graphics
  kitty,   ///< kitty's graphics protocol
};

/// The picture as text for a terminal of `columns` characters per line, a line feed at its end. It
/// is scaled down where it is wider, and never enlarged by kitty and sixel; half blocks enlarge
/// small pictures by an integer factor. Errors: usage when columns is below 1.
std::string terminal_picture(const Image& picture, TerminalPictures how, int columns);

}  // namespace fovea::draw
