// RUN: route
// TARGET: tests/targets/tiny.toml
// Node 0 sends one line to nodes 1, 3 and 5: one entry. Node 2's line goes elsewhere in the buffer.
// SEGMENT: s 0>1 bytes 64 src 0 dst 64
// SEGMENT: s 0>3 bytes 64 src 0 dst 64
// SEGMENT: s 0>5 bytes 64 src 0 dst 64
// SEGMENT: s 2>4 bytes 16 src 64 dst 0 count0 3 src_stride0 32 dst_stride0 16
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> address 1024 : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> address 4096 : memref<64xf32>
  tile.exchange 7 %x to %y by "s" bytes 240 cycles 0 : memref<64xf32> to memref<64xf32>
  tile.output %y to "y" "float32" [64] : memref<64xf32>
}
// CHECK: tile.exchange 7 {{.*}} {semaphore = [[SEMAPHORE:[0-9]+]] :
// CHECK: lists: list 7 cls 0 node 0 kind 0 peer_cls 0 peer 1 peers 3 peer_stride 2 src 1024 dst 4160 bytes 64
// CHECK-SAME: far_sem [[SEMAPHORE]] home_sem [[SEMAPHORE]]
// CHECK-NEXT: lists: list 7 cls 0 node 2 kind 0 peer_cls 0 peer 4 peers 1 {{.*}} src 1088 dst 4096 bytes 16
// CHECK-SAME: count0 3 src_stride0 32 dst_stride0 16
// CHECK-NOT: lists:
