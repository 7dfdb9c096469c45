#include "engine/command_line.h"

int main(int argc, char** argv) { return tillwatch::engine::run_command_line(argc, argv); }
