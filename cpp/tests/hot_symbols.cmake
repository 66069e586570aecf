# Object files of one instruction set must not define symbols that the linker could use for another one, and must not need
# the standard library: cmake -DNM=nm -DOBJECTS="a.o;b.o" -P hot_symbols.cmake
foreach(object ${OBJECTS})
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [VvWwu] [^\n]*" shared "${symbols}")
  string(REGEX MATCHALL "[^\n]*(std::|Eigen|eigen)[^\n]*" foreign "${symbols}")
  string(REGEX MATCHALL "[^\n]* [BDRT] [^\n]*" public "${symbols}")
  list(LENGTH public n_public)
  if(shared OR foreign OR NOT n_public EQUAL 1)
    message(FATAL_ERROR "${object} has symbols that it must not have: ${shared} ${foreign}, or more than its table: ${public}")
  endif()
endforeach()
