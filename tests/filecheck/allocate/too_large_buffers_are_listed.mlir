// RUN: allocate
// TARGET: tests/targets/tiny.toml
// error: the model does not fit a node's SRAM: 66560 B too much
// error: need 1377280 B, have 1310720 B
// error: 1376256 B buffer 'big' (node 'Conv_0'), 1024 B buffer 'small'
// error: dojocc compile plans the model again with other options and names those that work
tile.program @main grid [2, 3] {
  %big = tile.alloc "big" layout #mesh.layout<FP32, grid 2 x 3, [344064]> {loc = "node 'Conv_0'"} : memref<344064xf32>
  tile.input %big from "big" "float32" [344064] : memref<344064xf32>
  %small = tile.alloc "small" layout #mesh.layout<FP32, grid 2 x 3, [256]> : memref<256xf32>
  tile.input %small from "small" "float32" [256] : memref<256xf32>
  tile.output %big to "b" "float32" [344064] : memref<344064xf32>
  tile.output %small to "s" "float32" [256] : memref<256xf32>
}
