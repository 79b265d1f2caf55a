// RUN: descend{clip=1.0}
// CHECK: nn.name = "gradient norm", nn.role = "loss"
// CHECK: nn.reduce %{{.*}} {kind = "sum", dims = [0]
// CHECK: %[[N:.*]] = nn.sqrt
// CHECK: func.return %l, %[[N]]
func.func @main(%w: tensor<4xf32> {nn.name = "w", nn.role = "parameter"}, %g: tensor<4xf32>, %l: tensor<f32>) -> (tensor<f32> {nn.name = "loss", nn.role = "loss"}, tensor<4xf32> {nn.name = "gradient of w", nn.role = "gradient"}) {
  func.return %l, %g : tensor<f32>, tensor<4xf32>
}
