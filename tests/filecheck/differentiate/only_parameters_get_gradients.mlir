// RUN: differentiate{loss=mse}
// CHECK: nn.name = "labels"
// CHECK-SAME: nn.role = "loss"
// CHECK-SAME: nn.name = "gradient of w", nn.role = "gradient"
// CHECK-NOT: gradient of x
// CHECK: loc = "gradient of product"
func.func @main(%x: tensor<2x4xf32> {nn.name = "x"}, %w: tensor<4x3xf32> {nn.name = "w", nn.role = "parameter"}) -> tensor<2x3xf32> {
  %y = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "product"} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  func.return %y : tensor<2x3xf32>
}
