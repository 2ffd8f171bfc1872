# sql_statements(<target> <file.sql>...)
#   turns the `-- name: x` blocks of the files into sql_statements.h (one enum
#   value a block) and sql_statements.c (name and text of each).
# sql_migrations(<target> <NNNN_name.sql>...)
#   embeds whole files, in the order given, into sql_migrations.c. Each from 6 on
#   has a line `-- works with: N`: programs that know no migration above N run on
#   the schema it leaves (docs/database.md, Migrations). One with a line
#   `-- outside a transaction` is run statement by statement.
#
# Both run this very file as a script at build time, so that a changed .sql file
# rebuilds what depends on it and nothing but CMake is needed.

set(SQL_TABLES_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(_sql_table target mode stem)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/generated/chatd/${stem})
  list(JOIN ARGN "|" files)
  add_custom_command(
    OUTPUT ${out}.c ${out}.h
    COMMAND ${CMAKE_COMMAND} -DSQL_MODE=${mode} -DSQL_OUT=${out}
      "-DSQL_FILES=${files}" -P ${SQL_TABLES_SCRIPT}
    DEPENDS ${ARGN} ${SQL_TABLES_SCRIPT}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "SQL ${mode} of ${target}"
    VERBATIM)
  target_sources(${target} PRIVATE ${out}.c ${out}.h)
  target_include_directories(${target} PUBLIC
    ${CMAKE_CURRENT_BINARY_DIR}/generated)
endfunction()

function(sql_statements target)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  _sql_table(${target} statements sql_statements ${ARGN})
endfunction()

function(sql_migrations target)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  _sql_table(${target} migrations sql_migrations ${ARGN})
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE)
  return()
endif()

# ---- the script -------------------------------------------------------------

# Text as lines of C string literals. Brackets and semicolons are safe: nothing
# here treats the text as a list.
function(c_string text result)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n\t  \"" text "${text}")
  set(${result} "\"${text}\"" PARENT_SCOPE)
endfunction()

string(REPLACE "|" ";" files "${SQL_FILES}")
set(note "/* Made from chatd/sql at build time. */\n")
set(rows "")
set(names "")

if(SQL_MODE STREQUAL "statements")
  set(mark "-- name: ")
  string(LENGTH "${mark}" mark_len)
  foreach(file IN LISTS files)
    file(READ "${file}" left)
    string(FIND "${left}" "${mark}" at)
    while(NOT at EQUAL -1)
      math(EXPR at "${at} + ${mark_len}")
      string(SUBSTRING "${left}" ${at} -1 left)
      string(FIND "${left}" "\n" eol)
      string(SUBSTRING "${left}" 0 ${eol} name)
      string(STRIP "${name}" name)
      if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
        message(FATAL_ERROR "${file}: bad statement name '${name}'")
      endif()
      string(SUBSTRING "${left}" ${eol} -1 left)
      string(FIND "${left}" "${mark}" at)
      string(SUBSTRING "${left}" 0 ${at} body)
      string(STRIP "${body}" body)
      c_string("${body}" literal)
      string(APPEND names "\tSQL_${name},\n")
      string(APPEND rows "\t{ \"${name}\",\n\t  ${literal} },\n")
    endwhile()
  endforeach()
  file(WRITE ${SQL_OUT}.h "${note}#ifndef CHATD_SQL_STATEMENTS_H\n"
    "#define CHATD_SQL_STATEMENTS_H\n\nenum sql {\n${names}\tSQL_COUNT,\n};\n\n"
    "struct sql_statement {\n\tconst char *name;\n\tconst char *text;\n};\n\n"
    "extern const struct sql_statement sql_statements[SQL_COUNT];\n\n#endif\n")
  file(WRITE ${SQL_OUT}.c "${note}#include \"chatd/sql_statements.h\"\n\n"
    "const struct sql_statement sql_statements[SQL_COUNT] = {\n${rows}};\n")
else()
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+$")
      message(FATAL_ERROR "${file}: not NNNN_name.sql")
    endif()
    math(EXPR version "1${CMAKE_MATCH_1} - 10000")
    file(READ "${file}" body)
    if(body MATCHES "-- works with: ([0-9]+)\n")
      set(works_with ${CMAKE_MATCH_1})
    elseif(version LESS 6)
      set(works_with ${version})
    else()
      message(FATAL_ERROR "${file}: a line \"-- works with: N\" must say which "
        "programs run on the schema it leaves: docs/database.md, Migrations")
    endif()
    if(works_with GREATER version)
      message(FATAL_ERROR "${file}: works with ${works_with}, not yet there")
    endif()
    set(alone false)
    if(body MATCHES "-- outside a transaction\n")
      set(alone true)
    endif()
    c_string("${body}" literal)
    string(APPEND rows "\t{ ${version}, ${works_with}, ${alone}, \"${name}\","
      "\n\t  ${literal} },\n")
  endforeach()
  file(WRITE ${SQL_OUT}.h "${note}#ifndef CHATD_SQL_MIGRATIONS_H\n"
    "#define CHATD_SQL_MIGRATIONS_H\n\n#include <stdbool.h>\n\n"
    "struct sql_migration {\n"
    "\tint version;     /* 0: end of the table */\n"
    "\tint works_with;  /* programs of this version run on it */\n"
    "\tbool alone;      /* outside a transaction, statement by statement */\n"
    "\tconst char *name;\n\tconst char *text;\n};\n\n"
    "extern const struct sql_migration sql_migrations[];\n\n#endif\n")
  file(WRITE ${SQL_OUT}.c "${note}#include \"chatd/sql_migrations.h\"\n\n"
    "const struct sql_migration sql_migrations[] = {\n${rows}"
    "\t{ 0, 0, false, 0, 0 },\n};\n")
endif()
