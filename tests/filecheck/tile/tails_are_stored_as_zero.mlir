// RUN: tile
// TARGET: tests/targets/tiny.toml
// exp(0) is 1: the elements past the 10th must be stored as zero all the same.
#x = #mesh.layout<FP32, grid 2 x 3, [4, 10 physical 16]>
func.func @main(%x: tensor<4x10xf32, #x>) -> tensor<4x10xf32, #x> {
  %y = nn.fused %x : tensor<4x10xf32, #x> {
  ^bb0(%a: tensor<4x10xf32>):
    %t = nn.exponential %a : tensor<4x10xf32>
    nn.yield %t : tensor<4x10xf32>
  }
  func.return %y : tensor<4x10xf32, #x>
}
// CHECK: tile.load {{.*}} granules 1 as "FP32" <
// CHECK: tile.vector "vexp2"
// CHECK: tile.store {{.*}} granules 1 as "FP32" padded {{.*}}x_limit 10{{.*}}lstep 1
