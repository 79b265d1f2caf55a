// RUN: tile
// TARGET: tests/targets/tiny.toml
// Two layers of the same shape are one kernel called twice, on other buffers.
#x = #mesh.layout<FP32, grid 2 x 3, [6 by row step 3, 32]>
func.func @main(%x: tensor<6x32xf32, #x>) -> tensor<6x32xf32, #x> {
  %y = nn.fused %x {loc = "first"} : tensor<6x32xf32, #x> {
  ^bb0(%a: tensor<6x32xf32>):
    %t = nn.tanh %a : tensor<6x32xf32>
    nn.yield %t : tensor<6x32xf32>
  }
  %z = nn.fused %y {loc = "second"} : tensor<6x32xf32, #x> {
  ^bb0(%a: tensor<6x32xf32>):
    %t = nn.tanh %a : tensor<6x32xf32>
    nn.yield %t : tensor<6x32xf32>
  }
  func.return %z : tensor<6x32xf32, #x>
}
// CHECK-COUNT-1: tile.kernel @elementwise_0
// CHECK-NOT: tile.kernel
// CHECK: [[Y:%[0-9a-z]+]] = tile.alloc "first"
// CHECK: tile.call @elementwise_0([[Y]], {{.*}}) scalars [] mark "first"
// CHECK: [[Z:%[0-9a-z]+]] = tile.alloc "second"
// CHECK: tile.call @elementwise_0([[Z]], [[Y]]) scalars [] mark "second"
