// RUN: batch-statistics
// CHECK-NOT: nn.batch_norm_inference
// CHECK: nn.reduce %x {kind = "mean", dims = [0, 2, 3]
// CHECK: nn.rsqrt
// CHECK: nn.multiply %m
// CHECK: nn.multiply %v
// CHECK: func.return %{{.*}}, %{{.*}}, %{{.*}}
func.func @main(%x: tensor<2x3x4x4xf32>, %s: tensor<3xf32>, %o: tensor<3xf32>, %m: tensor<3xf32> {nn.name = "m", nn.role = "buffer"}, %v: tensor<3xf32> {nn.name = "v", nn.role = "buffer"}) -> tensor<2x3x4x4xf32> {
  %y = nn.batch_norm_inference %x, %s, %o, %m, %v {epsilon = 0.001, feature = 1, loc = "norm"} : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x4x4xf32>
  func.return %y : tensor<2x3x4x4xf32>
}
