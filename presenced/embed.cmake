# Joins lib.lua with one script and writes both forms of it into a C source:
#   cmake -DLIB=lib.lua -DSCRIPT=name.lua -DOUT=script_name.c -P embed.cmake
# defines `const struct script script_<name>` (presenced/script.h).
get_filename_component(name ${SCRIPT} NAME_WE)
file(READ ${LIB} lib)
file(READ ${SCRIPT} body)
set(joined ${OUT}.lua)
file(WRITE ${joined} "${lib}\n${body}")
file(SHA1 ${joined} sha)
file(READ ${joined} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR len "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))"
  "\t\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "/* Made from scripts/${name}.lua by embed.cmake. */
#include \"presenced/script.h\"

static const char text[] = {
${bytes}
};

const struct script script_${name} = {
\t\"${name}\",
\t\"${sha}\",
\ttext,
\t${len},
};
")
